import pickle
from datetime import datetime, timezone

import grpc
import pytest
from conftest import info, pack
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo

import stele
from stele._errors import make_error


def translate(code: str, *details: Message) -> stele.RegistryError:
    return make_error(grpc.StatusCode[code], "a message", pack(*details))


EXISTING = {
    "model": "m",
    "version": "1.0.0+b",
    "existing_version": "1.0.0+a",
    "existing_digest": "sha256:00",
    "registered_at": "2026-01-02T03:04:05.678Z",
    "identical": "false",
}


def test_tells_what_a_version_that_is_taken_is_taken_by() -> None:
    error = translate("ALREADY_EXISTS", info("VERSION_ALREADY_EXISTS", **EXISTING))
    assert isinstance(error, stele.VersionAlreadyExistsError)
    assert (error.model, error.version) == ("m", "1.0.0+b")
    assert (error.existing_version, error.existing_digest) == ("1.0.0+a", "sha256:00")
    assert error.registered_at == datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=timezone.utc)
    assert error.identical is False


def test_does_not_know_more_of_it_than_the_caller_may_read() -> None:
    error = translate("ALREADY_EXISTS", info("VERSION_ALREADY_EXISTS", model="m", version="1.0.0"))
    assert isinstance(error, stele.VersionAlreadyExistsError)
    assert (error.model, error.version) == ("m", "1.0.0")
    assert (error.existing_version, error.existing_digest) == (None, None)
    assert (error.registered_at, error.identical) == (None, None)


def test_tells_what_came_nearest_to_a_range() -> None:
    error = translate("NOT_FOUND", info("VERSION_NOT_FOUND", model="m", range="^2", nearest_below="1.9.0"))
    assert isinstance(error, stele.NotFoundError)
    assert (error.model, error.version, error.range) == ("m", None, "^2")
    assert (error.nearest_below, error.nearest_above, error.nearest_prerelease) == ("1.9.0", None, None)


def test_lists_the_violated_fields() -> None:
    violations = [BadRequest.FieldViolation(field="model", description="is required")]
    details = (info("INVALID_REQUEST", violations_omitted="3"), BadRequest(field_violations=violations))
    error = translate("INVALID_ARGUMENT", *details)
    assert isinstance(error, stele.InvalidArgumentError)
    assert error.violations == (stele.FieldViolation("model", "is required"),)
    assert error.violations_omitted == 3


@pytest.mark.parametrize("seconds", [315_576_000_000, 2**63 - 1, -(2**63)])
def test_reads_a_wait_of_any_length(seconds: int) -> None:
    error = translate("RESOURCE_EXHAUSTED", info("TOO_MANY_CALLS"), RetryInfo(retry_delay=Duration(seconds=seconds)))
    assert error.retry_delay == float(seconds)


@pytest.mark.parametrize("reason", ["REQUEST_ID_REUSED", "UNDECODABLE_REQUEST"])
def test_knows_an_invalid_argument_of_any_reason(reason: str) -> None:
    error = translate("INVALID_ARGUMENT", info(reason))
    assert isinstance(error, stele.InvalidArgumentError)
    assert (error.reason, error.violations, error.violations_omitted) == (reason, (), 0)


def test_reads_how_long_to_wait() -> None:
    delay = RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
    error = translate("RESOURCE_EXHAUSTED", info("TOO_MANY_CALLS", kind="calls", limit="9"), delay)
    assert type(error) is stele.RegistryError
    assert (error.reason, error.metadata, error.retry_delay) == ("TOO_MANY_CALLS", {"kind": "calls", "limit": "9"}, 1.5)
    assert str(error) == "RESOURCE_EXHAUSTED (TOO_MANY_CALLS): a message"


@pytest.mark.parametrize(
    "status",
    [None, b"\xff", pack(ErrorInfo(domain="other", reason="MODEL_NOT_FOUND"))],
    ids=["without details", "with details that are none", "of somebody else"],
)
def test_tells_a_failure_that_is_not_of_the_service_without_a_reason(status: bytes | None) -> None:
    error = make_error(grpc.StatusCode.NOT_FOUND, "a message", status)
    assert type(error) is stele.RegistryError
    assert (error.code, error.message) == (grpc.StatusCode.NOT_FOUND, "a message")
    assert (error.reason, error.metadata, error.retry_delay) == ("", {}, None)
    assert str(error) == "NOT_FOUND: a message"


def test_errors_survive_the_way_between_processes() -> None:
    violations = [BadRequest.FieldViolation(field="model", description="is required")]
    error = translate("INVALID_ARGUMENT", info("INVALID_REQUEST", a="b"), BadRequest(field_violations=violations))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - it is our own
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
