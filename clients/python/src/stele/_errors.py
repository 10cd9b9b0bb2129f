"""The errors of calls, made of a gRPC status and its details."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import NamedTuple, TypeVar

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

_DOMAIN = "stele"
_Detail = TypeVar("_Detail", bound=Message)


class RegistryError(Exception):
    """A call failed, in the service or on the way to it. What has a class of its own is a subclass of this one.

    Attributes:
        code: The gRPC code.
        message: What happened, for people.
        reason: The stable reason of the service (docs/errors.md lists them), to branch on; empty when the failure
            does not come from the service, such as a connection that cannot be opened.
        metadata: What is dynamic in the message, by the names that the reason has; else empty.
        retry_delay: How many seconds the service asks to wait before another attempt; None when it asks for none.

    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_delay: float | None = None,
    ) -> None:
        """Make an error with these attributes; a token function may raise one too."""
        super().__init__(code, message, reason, metadata, retry_delay)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.retry_delay = retry_delay

    def __str__(self) -> str:
        """Tell the code, the reason and the message."""
        return f"{self.code.name}{self.reason and f' ({self.reason})'}: {self.message}"


class VersionAlreadyExistsError(RegistryError):
    """The version is taken (VERSION_ALREADY_EXISTS). It is never the echo of the client's own attempts.

    What tells of the existing version is None for a caller who may not read the model.
    """

    @property
    def model(self) -> str:
        """The model's name."""
        return self.metadata.get("model", "")

    @property
    def version(self) -> str:
        """The version that was to be registered."""
        return self.metadata.get("version", "")

    @property
    def existing_version(self) -> str | None:
        """The version as it is stored, with its own build metadata."""
        return self.metadata.get("existing_version")

    @property
    def existing_digest(self) -> str | None:
        """The digest of the stored record."""
        return self.metadata.get("existing_digest")

    @property
    def registered_at(self) -> datetime | None:
        """When the stored record was registered, in UTC."""
        text = self.metadata.get("registered_at")
        if text is None:
            return None
        timestamp = Timestamp()
        timestamp.FromJsonString(text)
        return timestamp.ToDatetime(tzinfo=timezone.utc)

    @property
    def identical(self) -> bool | None:
        """Whether the stored record has the same content as the one that was to be registered."""
        text = self.metadata.get("identical")
        return None if text is None else text == "true"


class NotFoundError(RegistryError):
    """No such model, version, or version in the range (MODEL_NOT_FOUND, VERSION_NOT_FOUND)."""

    @property
    def model(self) -> str:
        """The model's name."""
        return self.metadata.get("model", "")

    @property
    def version(self) -> str | None:
        """The version asked for; None when it was a range, or the model is not found."""
        return self.metadata.get("version")

    @property
    def range(self) -> str | None:
        """The range asked for; None when it was a version, or the model is not found."""
        return self.metadata.get("range")

    @property
    def nearest_below(self) -> str | None:
        """The highest version below the range, where there is one."""
        return self.metadata.get("nearest_below")

    @property
    def nearest_above(self) -> str | None:
        """The lowest version above the range, where there is one."""
        return self.metadata.get("nearest_above")

    @property
    def nearest_prerelease(self) -> str | None:
        """The prerelease that PRERELEASES_INCLUDE would have found, where there is one."""
        return self.metadata.get("nearest_prerelease")


class FieldViolation(NamedTuple):
    """A field that breaks its rule."""

    field: str
    """The path of the field, such as `metadata.artifacts[2].digest`."""
    description: str
    """What is wrong with it, for people."""


class InvalidArgumentError(RegistryError):
    """The request is refused as it is (INVALID_ARGUMENT, whatever the reason); nothing was stored.

    Attributes:
        violations: The violated fields; empty when the failure has none.

    """

    violations: Sequence[FieldViolation] = ()

    @property
    def violations_omitted(self) -> int:
        """How many more violations there are than the answer could hold."""
        return int(self.metadata.get("violations_omitted", "0"))


_TYPES_BY_REASON = {
    "VERSION_ALREADY_EXISTS": VersionAlreadyExistsError,
    "MODEL_NOT_FOUND": NotFoundError,
    "VERSION_NOT_FOUND": NotFoundError,
}


def to_registry_error(failure: grpc.RpcError) -> RegistryError:
    """Tell the failure of a gRPC call as the error that the caller gets."""
    trailing = {each.key: each.value for each in failure.trailing_metadata() or ()}
    error = make_error(failure.code(), failure.details() or "", trailing.get("grpc-status-details-bin"))
    error.__cause__ = failure
    return error


def make_error(code: grpc.StatusCode, message: str, status: bytes | str | None) -> RegistryError:
    """Make an error of a code, a message, and the `google.rpc.Status` that holds the details."""
    details = _read_details(status)
    info = _find(details, ErrorInfo)
    if info is None or info.domain != _DOMAIN:
        info = ErrorInfo()
    retry = _find(details, RetryInfo)
    delay = None if retry is None else retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    kind = _TYPES_BY_REASON.get(info.reason, RegistryError)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        kind = InvalidArgumentError
    error = kind(code, message, info.reason, dict(info.metadata), delay)
    if isinstance(error, InvalidArgumentError):
        request = _find(details, BadRequest) or BadRequest()
        error.violations = tuple(FieldViolation(each.field, each.description) for each in request.field_violations)
    return error


def _read_details(status: bytes | str | None) -> Sequence[Any]:
    with suppress(DecodeError):
        if isinstance(status, bytes):
            return Status.FromString(status).details
    return ()


def _find(details: Sequence[Any], kind: type[_Detail]) -> _Detail | None:
    """Answer the first detail of this type."""
    for detail in details:
        found = kind()
        with suppress(DecodeError):
            if detail.Unpack(found):
                return found
    return None
