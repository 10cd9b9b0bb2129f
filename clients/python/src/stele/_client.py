"""The client: its connection, and the calls of the registry."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

import grpc

from stele._channel import load_credentials, open_channel
from stele._errors import RegistryError
from stele._listing import list_entries
from stele._retry import Attempts, call, check_timeout
from stele.v1.model_registry_service_pb2 import (
    GetVersionRequest,
    Increment,
    ListModelsRequest,
    ListVersionsRequest,
    Model,
    Order,
    Prereleases,
    RegisterVersionRequest,
    View,
)
from stele.v1.model_registry_service_pb2_grpc import ModelRegistryServiceStub

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from typing_extensions import Self

    from stele._channel import StrPath, Token
    from stele.v1.model_registry_service_pb2 import GetVersionResponse, RegisterVersionResponse
    from stele.v1.model_version_pb2 import ModelMetadata, ModelVersion


class Client:
    """A client of one registry, for any number of threads.

    It connects with its first call, and again whenever the connection breaks::

        with stele.Client("localhost:50051", plaintext=True) as client:
            print(client.get("vision/resnet-50", "1.0.0").digest)

    A call takes at most its timeout, all attempts together: one that fails because the service or the connection is
    away is repeated until then. Every failure of a call is a `RegistryError`.

    Attributes:
        stub: The generated stub, for everything else; it sends the token, but repeats nothing.

    """

    def __init__(
        self,
        address: str,
        *,
        plaintext: bool = False,
        ca_file: StrPath | None = None,
        certificate_file: StrPath | None = None,
        key_file: StrPath | None = None,
        token: Token | None = None,
        timeout: float = 30,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            address: `host:port`.
            plaintext: Whether to speak without TLS.
            ca_file: A PEM file of the authorities to trust instead of the system's.
            certificate_file: A PEM file of the client's certificate and its chain, for services that know their callers
                by it; with its `key_file`.
            key_file: A PEM file of the certificate's private key, which is not encrypted.
            token: The bearer token; or a function, asked before each attempt of a call, so that the token can rotate. A
                failure of the function is that of the call, with the code UNAUTHENTICATED unless it is a RegistryError.
            timeout: How many seconds a call takes at most, unless it says otherwise.

        Raises:
            ValueError: The address, the token or the timeout is none; or the options contradict each other: a token or
                certificates in plain text, a certificate without its key.
            OSError: A file cannot be read or is no such thing.

        """
        files = (ca_file, certificate_file, key_file)
        if plaintext and token is not None:
            raise ValueError("a token is not sent in plain text: leave out plaintext, or the token")
        if plaintext and files != (None, None, None):
            raise ValueError("certificates are nothing without TLS: leave out plaintext, or the files")
        credentials = None if plaintext else load_credentials(*files)
        self._address = address
        self._timeout = check_timeout(timeout)
        self._closed = threading.Event()
        self._channel = open_channel(address, credentials, token)
        self.stub = ModelRegistryServiceStub(self._channel)

    def __enter__(self) -> Self:
        """Answer the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the connection; calls that are under way, and later ones, fail with the code CANCELLED."""
        self._closed.set()
        self._channel.close()

    def register(
        self,
        model: str,
        *,
        version: str | None = None,
        increment: Increment | None = None,
        metadata: ModelMetadata | None = None,
        request_id: str = "",
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> ModelVersion:
        """Register a new version of a model, and answer the record as it is stored, for ever::

            client.register("vision/resnet-50", version="1.0.0", metadata=ModelMetadata(architecture="CNN"))
            client.register("vision/resnet-50", increment=Increment(level=Level.LEVEL_MINOR))

        Args:
            model: The model's name.
            version: The version (SemVer 2.0.0).
            increment: How the service assigns the next number, instead of a version.
            metadata: What to keep about the version.
            request_id: A UUID of your own, to go on after your process has died; else the client makes a fresh one, so
                that its attempts are safe.
            validate_only: Check everything and store nothing.
            timeout: In seconds, instead of the client's.

        Raises:
            VersionAlreadyExistsError: The version is taken.
            InvalidArgumentError: The request breaks a rule.
            RegistryError: Anything else.
            ValueError: Both a version and an increment are given.

        """  # noqa: D415
        if version is not None and increment is not None:
            raise ValueError("a registration has a version or an increment, not both")
        request = RegisterVersionRequest(
            model=model,
            increment=increment,
            metadata=metadata,
            request_id=request_id or str(uuid.uuid4()),
            validate_only=validate_only,
        )
        if version is not None:
            request.version = version
        return _record_of(call(self.stub.RegisterVersion, request, self._attempts(timeout)))

    def get(self, model: str, version: str, *, timeout: float | None = None) -> ModelVersion:
        """Answer exactly this version of a model; build metadata is no part of its identity.

        Raises:
            NotFoundError: The model or the version is not registered.
            InvalidArgumentError: The request breaks a rule.
            RegistryError: Anything else.

        """
        request = GetVersionRequest(model=model, version=version)
        return _record_of(call(self.stub.GetVersion, request, self._attempts(timeout)))

    def resolve(
        self,
        model: str,
        range: str,  # noqa: A002 - the word of the field
        *,
        prereleases: Prereleases.ValueType = Prereleases.PRERELEASES_UNSPECIFIED,
        timeout: float | None = None,
    ) -> ModelVersion:
        """Answer the highest version of a model in a range of npm's grammar, such as `^1.2` or `*`.

        Raises:
            NotFoundError: The model is not registered, or no version is in the range; it knows what came nearest.
            InvalidArgumentError: The request breaks a rule.
            RegistryError: Anything else.

        """
        request = GetVersionRequest(model=model, range=range, prereleases=prereleases)
        return _record_of(call(self.stub.GetVersion, request, self._attempts(timeout)))

    def list_versions(
        self,
        model: str,
        *,
        range: str = "",  # noqa: A002 - the word of the field
        prereleases: Prereleases.ValueType = Prereleases.PRERELEASES_UNSPECIFIED,
        order: Order.ValueType = Order.ORDER_UNSPECIFIED,
        filter: str = "",  # noqa: A002 - the word of the field
        view: View.ValueType = View.VIEW_UNSPECIFIED,
        limit: int = 0,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Generator[ModelVersion, None, None]:
        """List the versions of a model by precedence, the highest first, each once::

            for record in client.list_versions("vision/resnet-50", range="^1"):
                print(record.version)

        The listing begins with the first version asked for, and goes on by itself where it breaks. It may be as long as
        it likes, and be left half way: dropping the iterator ends it, and so does its `close()`.

        Args:
            model: The model's name.
            range: Only versions in this range of npm's grammar.
            prereleases: Which prereleases are listed.
            order: The direction.
            filter: Only versions that fulfil this condition (docs/filter.md).
            view: How much of each record is sent.
            limit: How many versions at most; 0 is no bound.
            page_size: How many versions in a message at most; 0 leaves it to the service.
            page_token: Where an earlier listing with the same arguments is to be resumed.
            timeout: How many seconds it may go without a message after a failure, instead of the client's.

        Raises:
            NotFoundError: The model is not registered.
            InvalidArgumentError: The request breaks a rule.
            RegistryError: Anything else. All of them are raised where the iterator is asked for the next version.

        """  # noqa: D415
        request = ListVersionsRequest(
            model=model,
            range=range,
            prereleases=prereleases,
            order=order,
            filter=filter,
            view=view,
            limit=limit,
            page_size=page_size,
            page_token=page_token,
        )
        return list_entries(
            self.stub.ListVersions,
            request,
            lambda page: (listed.model_version for listed in page.versions),
            self._attempts(timeout),
        )

    def list_models(
        self,
        *,
        prefix: str = "",
        limit: int = 0,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Generator[Model, None, None]:
        """List the models by name, each once, with its highest versions.

        It goes on, and ends, as `list_versions` does.

        Args:
            prefix: Only models whose names begin with this text.
            limit: How many models at most; 0 is no bound.
            page_size: How many models in a message at most; 0 leaves it to the service.
            page_token: Where an earlier listing with the same arguments is to be resumed.
            timeout: How many seconds it may go without a message after a failure, instead of the client's.

        Raises:
            InvalidArgumentError: The request breaks a rule.
            RegistryError: Anything else. All of them are raised where the iterator is asked for the next model.

        """
        request = ListModelsRequest(prefix=prefix, limit=limit, page_size=page_size, page_token=page_token)
        return list_entries(self.stub.ListModels, request, lambda page: page.models, self._attempts(timeout))

    def _attempts(self, timeout: float | None) -> Attempts:
        timeout = self._timeout if timeout is None else check_timeout(timeout)
        return Attempts(self._address, timeout, self._closed)


def _record_of(answer: GetVersionResponse | RegisterVersionResponse) -> ModelVersion:
    if not answer.HasField("model_version"):
        raise RegistryError(grpc.StatusCode.INTERNAL, "the answer has no record")
    return answer.model_version
