"""The connection to the service."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import grpc

from stele._errors import RegistryError

if TYPE_CHECKING:
    from os import PathLike

    StrPath = str | PathLike[str]

Token = str | Callable[[], str]

_Request = TypeVar("_Request")
_Call = TypeVar("_Call")

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s/?#@:\[\]]+):([0-9]{1,5})")
_LAST_PORT = 65_535
_TOKEN = re.compile(r"[!-~]+")

_OPTIONS = [
    # All addresses of the name, in turn.
    ("grpc.lb_policy_name", "round_robin"),
    # Attempts are repeated in one place, by the rules of the client.
    ("grpc.enable_retries", 0),
    # A connection is tried for at most 5 s, and again at the latest 5 s later: gRPC adds up to a fifth to its longest
    # wait. As soon it looks whether the name has other addresses.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 4_000),
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    # A ping every 30 s while calls are under way, also when the service has nothing to send for long. The last is for
    # the pings by which gRPC measures the bandwidth: while one of them is without an answer, no other is sent.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.ping_timeout_ms", 10_000),
]


def open_channel(address: str, credentials: grpc.ChannelCredentials | None, token: Token | None) -> grpc.Channel:
    """Make a channel, which connects with its first call; without credentials it is one in plain text.

    Raises:
        ValueError: The address is not `host:port`, or a token is none.

    """
    # Of an address of another form gRPC would make something, such as port 443 or another port.
    parts = _ADDRESS.fullmatch(address)
    if parts is None or int(parts[2]) > _LAST_PORT:
        raise ValueError(f"the address is not host:port: {address!r}")
    if isinstance(token, str):
        check_token(token)
    target = f"dns:///{address}"
    if credentials is None:
        return grpc.insecure_channel(target, _OPTIONS)
    channel = grpc.secure_channel(target, credentials, _OPTIONS)
    return channel if token is None else grpc.intercept_channel(channel, _TokenInterceptor(token))


def load_credentials(
    ca_file: StrPath | None, certificate_file: StrPath | None, key_file: StrPath | None
) -> grpc.ChannelCredentials:
    """Read the certificates, and refuse what TLS would refuse with less to say.

    Raises:
        ValueError: There is a certificate without a key, or a key without a certificate.
        OSError: A file cannot be read, or is no such thing (ssl.SSLError).

    """
    if (certificate_file is None) != (key_file is None):
        raise ValueError("a client certificate is given with its key: certificate_file and key_file")
    # The context only checks the files, before gRPC would fail with each call for one that is none.
    authorities, certificate, key = (
        None if path is None else Path(path).read_bytes() for path in (ca_file, certificate_file, key_file)
    )
    context = ssl.create_default_context(cafile=ca_file)
    if certificate_file is not None:
        context.load_cert_chain(certificate_file, key_file, password="")
    return grpc.ssl_channel_credentials(authorities or _system_authorities(context), key, certificate)


def _system_authorities(context: ssl.SSLContext) -> bytes | None:
    """Answer the authorities that Python's own TLS trusts; None, where it has none, leaves it to those of gRPC."""
    certificates = context.get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode() or None


class _CallDetails(grpc.ClientCallDetails):
    def __init__(self, details: grpc.ClientCallDetails, header: tuple[str, str], seconds_gone: float) -> None:
        self.method = details.method
        self.timeout = None if details.timeout is None else details.timeout - seconds_gone
        self.metadata = (*(details.metadata or ()), header)
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready
        self.compression = details.compression


class _TokenInterceptor(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Sends a token with each call; where it is a function, that is asked each time, within the call's deadline.

    The credentials that gRPC has for this tell a failure of the function as UNAVAILABLE, so that it would be repeated.
    """

    def __init__(self, token: Token) -> None:
        self._token = token

    def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.ClientCallDetails, _Request], _Call],
        client_call_details: grpc.ClientCallDetails,
        request: _Request,
    ) -> _Call:
        start = time.monotonic()
        header = ("authorization", f"Bearer {read_token(self._token)}")
        return continuation(_CallDetails(client_call_details, header, time.monotonic() - start), request)

    intercept_unary_stream = intercept_unary_unary


def read_token(token: Token) -> str:
    """Answer the token of a call.

    Raises:
        RegistryError: The function failed, with its own RegistryError or as UNAUTHENTICATED; or what it gave cannot be
            sent.

    """
    try:
        return check_token(token() if callable(token) else token)
    except RegistryError:
        raise
    except Exception as failure:
        message = f"the token cannot be had: {failure}"
        raise RegistryError(grpc.StatusCode.UNAUTHENTICATED, message) from failure


def check_token(token: object) -> str:
    """Answer a token that can be sent.

    Raises:
        ValueError: It cannot.

    """
    if isinstance(token, str) and _TOKEN.fullmatch(token):
        return token
    raise ValueError("a token is visible ASCII characters, at least one; mind the end of the line")
