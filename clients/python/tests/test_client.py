from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
from conftest import Connect, Service, fail, info

import stele
from stele import Increment, ModelMetadata, ModelVersion
from stele._channel import read_token
from stele.v1.model_registry_service_pb2 import GetVersionResponse, RegisterVersionRequest, RegisterVersionResponse


class Registry(Service):
    """Registers at the third attempt."""

    def __init__(self) -> None:
        self.requests: list[RegisterVersionRequest] = []

    def RegisterVersion(self, request: RegisterVersionRequest, context: Any) -> RegisterVersionResponse:
        self.requests.append(request)
        if len(self.requests) < 3:
            fail(context, grpc.StatusCode.UNAVAILABLE, info("DATABASE_UNAVAILABLE"))
        return RegisterVersionResponse(model_version=ModelVersion(model=request.model, version=request.version))


def test_repeats_a_registration_with_one_fresh_request_id(connect: Connect) -> None:
    service = Registry()
    client = connect(service)
    metadata = ModelMetadata(architecture="CNN")
    assert client.register("m", version="1.0.0", metadata=metadata) == ModelVersion(model="m", version="1.0.0")
    assert client.register("m", version="1.0.1").version == "1.0.1"
    first, *others, last = service.requests
    assert others == [first, first]
    assert first == RegisterVersionRequest(
        model="m", version="1.0.0", metadata=metadata, request_id=str(UUID(first.request_id, version=4))
    )
    assert last.request_id != first.request_id


def test_keeps_the_request_id_of_the_caller(connect: Connect) -> None:
    service = Registry()
    connect(service).register("m", increment=Increment(within="^1"), request_id="mine", validate_only=True)
    expected = RegisterVersionRequest(
        model="m", increment=Increment(within="^1"), request_id="mine", validate_only=True
    )
    assert service.requests == [expected] * 3


def test_refuses_a_version_beside_an_increment(connect: Connect) -> None:
    with pytest.raises(ValueError, match="not both"):
        connect(Registry()).register("m", version="1.0.0", increment=Increment())


def test_tells_that_it_is_closed(connect: Connect) -> None:
    client = connect(Registry())
    client.close()
    with pytest.raises(stele.RegistryError, match="CANCELLED: the client is closed"):
        client.get("m", "1.0.0")
    with pytest.raises(stele.RegistryError, match="CANCELLED: the client is closed"):
        next(client.list_versions("m"))


@pytest.mark.parametrize(
    "options",
    [
        {"plaintext": True, "token": "t"},
        {"plaintext": True, "ca_file": "ca.pem"},
        {"certificate_file": "client.pem"},
        {"key_file": "client.key"},
    ],
    ids=" ".join,
)
def test_refuses_options_that_contradict_each_other(options: Any) -> None:
    with pytest.raises(ValueError, match=r"leave out|is given with its key"):
        stele.Client("localhost:1", **options)


@pytest.mark.parametrize(
    "address",
    [
        *("", "localhost", "localhost:", ":1", "localhost:99999", "localhost:http", "::1:1", " localhost:1"),
        *("http://localhost:1", "dns:///localhost:1", "a@b:1", "a/b:1", "unix:/run/stele.sock"),
    ],
)
def test_refuses_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="the address is not host:port"):
        stele.Client(address, plaintext=True)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_refuses_a_timeout_that_is_none(timeout: float) -> None:
    with pytest.raises(ValueError, match="a timeout is more than 0 seconds"):
        stele.Client("localhost:1", timeout=timeout)
    with stele.Client("localhost:1", plaintext=True) as client:
        with pytest.raises(ValueError, match="a timeout is more than 0 seconds"):
            client.get("m", "1.0.0", timeout=timeout)
        with pytest.raises(ValueError, match="a timeout is more than 0 seconds"):
            client.list_versions("m", timeout=timeout)


@pytest.mark.parametrize("timeout", [1e12, float("inf")])
def test_a_timeout_may_be_without_end(connect: Connect, timeout: float) -> None:
    assert connect(Registry()).register("m", version="1.0.0", timeout=timeout).version == "1.0.0"


def test_an_answer_without_a_record_is_a_failure(connect: Connect) -> None:
    class Empty(Service):
        def GetVersion(self, request: Any, context: Any) -> GetVersionResponse:
            return GetVersionResponse()

    with pytest.raises(stele.RegistryError, match="INTERNAL: the answer has no record"):
        connect(Empty()).get("m", "1.0.0")


def test_refuses_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"missing\.pem"):
        stele.Client("localhost:1", ca_file=tmp_path / "missing.pem")
    (tmp_path / "empty.pem").touch()
    with pytest.raises(OSError, match=r"PEM|certificate"):
        stele.Client("localhost:1", ca_file=tmp_path / "empty.pem")


def test_asks_a_token_function_each_time() -> None:
    tokens = iter(["first", "second"])

    def token() -> str:
        return next(tokens)

    assert [read_token(token), read_token(token)] == ["first", "second"]


UNFIT = "a token is visible ASCII characters, at least one; mind the end of the line"


@pytest.mark.parametrize("token", ["", "line\n", "two words", "tökén", "nul\0"])
def test_refuses_a_token_that_cannot_be_sent(token: str) -> None:
    with pytest.raises(ValueError, match=f"^{UNFIT}$"):
        stele.Client("localhost:1", token=token)


def fail_plainly() -> str:
    raise OSError("no such file")


def fail_for_a_while() -> str:
    raise stele.RegistryError(grpc.StatusCode.UNAVAILABLE, "the issuer is away")


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (fail_plainly, "UNAUTHENTICATED: the token cannot be had: no such file"),
        (fail_for_a_while, "UNAVAILABLE: localhost:1: the issuer is away"),
        (lambda: "line\n", f"UNAUTHENTICATED: the token cannot be had: {UNFIT}"),
    ],
)
def test_tells_a_token_that_cannot_be_had_or_sent(token: stele.Token, expected: str) -> None:
    with stele.Client("localhost:1", token=token, timeout=0.05) as client:
        with pytest.raises(stele.RegistryError) as raised:
            client.get("m", "1.0.0")
        assert str(raised.value) == expected
        with pytest.raises(stele.RegistryError) as raised:
            next(client.list_versions("m"))
        assert str(raised.value) == expected
