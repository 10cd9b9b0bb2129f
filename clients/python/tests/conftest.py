"""A service inside the test, of which each test says how it answers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

import stele
from stele.v1.model_registry_service_pb2_grpc import (
    ModelRegistryServiceServicer,
    add_ModelRegistryServiceServicer_to_server,
)


class Service(ModelRegistryServiceServicer):
    """A service without calls, for tests to override those that they make."""

    def RegisterVersion(self, request: Any, context: Any) -> Any:
        fail(context, grpc.StatusCode.UNIMPLEMENTED)

    def GetVersion(self, request: Any, context: Any) -> Any:
        fail(context, grpc.StatusCode.UNIMPLEMENTED)

    def ListVersions(self, request: Any, context: Any) -> Any:
        fail(context, grpc.StatusCode.UNIMPLEMENTED)

    def ListModels(self, request: Any, context: Any) -> Any:
        fail(context, grpc.StatusCode.UNIMPLEMENTED)


Connect = Callable[[Service], stele.Client]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Serve a service, and answer a client of it."""
    servers: list[grpc.Server] = []
    clients: list[stele.Client] = []

    def connect(service: Service) -> stele.Client:
        server = grpc.server(ThreadPoolExecutor())
        add_ModelRegistryServiceServicer_to_server(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        clients.append(stele.Client(f"127.0.0.1:{port}", plaintext=True, timeout=5))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()
    for server in servers:
        server.stop(None)


def pack(*details: Message) -> bytes:
    """Answer details as they travel."""
    status = Status()
    for detail in details:
        status.details.add().Pack(detail)
    return status.SerializeToString()


def info(reason: str, **metadata: str) -> ErrorInfo:
    return ErrorInfo(domain="stele", reason=reason, metadata=metadata)


def fail(context: Any, code: grpc.StatusCode, *details: Message) -> NoReturn:
    """End a call with a status."""
    context.set_trailing_metadata((("grpc-status-details-bin", pack(*details)),))
    context.abort(code, code.name.lower())
    raise AssertionError
