"""When a failed attempt is repeated, for calls and listings alike."""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import grpc

from stele._errors import RegistryError, to_registry_error

_Answer = TypeVar("_Answer")

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0

FAILURES = (grpc.RpcError, RegistryError, ValueError)
"""What an attempt can raise: the failure of a call, that of a token function, or what grpc says of a closed channel."""

# More than anybody waits, and less than what gRPC counts with.
_LONGEST_TIMEOUT = 1e9

_CODES_TO_REPEAT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED}

_CODES_ON_THE_WAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}

# What gRPC makes of a stream that was reset (by the code of the reset), or that ended without a status.
_CODES_OF_A_BROKEN_CONNECTION = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNKNOWN,
}


# What gRPC makes of a message beyond its limit, with one of these codes.
_TOO_LARGE = "message larger than max"


class Attempts:
    """The attempts of one call: the time that they share, and the waits between them."""

    def __init__(self, address: str, timeout: float, closed: threading.Event) -> None:
        """Begin with the first attempt; the time stands still until `start_clock`."""
        self._address = address
        self._timeout = timeout
        self._closed = closed
        self._end: float | None = None
        self._repetition = 0
        self._before: RegistryError | None = None

    @property
    def remaining(self) -> float | None:
        """How many seconds are left; None while the time stands still."""
        return None if self._end is None else self._end - time.monotonic()

    def start_clock(self) -> None:
        """Let the time run from now, unless it runs already."""
        if self._end is None:
            self._end = time.monotonic() + self._timeout

    def stop_clock(self) -> None:
        """Note that the call makes progress: the time stands still, and the waits begin again."""
        self._end = None
        self._repetition = 0
        self._before = None

    def wait_after(self, failure: Exception) -> None:
        """Wait until the next attempt may begin.

        Raises:
            RegistryError: The failure, where no other attempt can succeed or begin in time.

        """
        self._raise_if_closed(failure)
        error = to_registry_error(failure) if isinstance(failure, grpc.RpcError) else failure
        if not isinstance(error, RegistryError):
            raise error
        self.start_clock()
        self._repetition += 1
        wait = wait_before(self._repetition, error.retry_delay)
        if not should_repeat(error) or wait > (self.remaining or 0):
            raise self._tell(error)
        self._before = error
        self._closed.wait(wait)
        self._raise_if_closed(failure)

    def _tell(self, error: RegistryError) -> RegistryError:
        """Answer a failure on the way to the service with its address, and a deadline with what was tried before."""
        if error.reason != "" or error.code not in _CODES_ON_THE_WAY:
            return error
        message = error.message
        # The clock of gRPC is not quite this one; long before the end it is the deadline of a proxy.
        if error.code is grpc.StatusCode.DEADLINE_EXCEEDED and round(self.remaining or 0, 1) <= 0:
            message = f"no answer within {self._timeout:g} s"
            if self._before is not None:
                message += f"; the attempt before failed: {self._before}"
        message = f"{self._address}: {message}"
        told = RegistryError(error.code, message, "", error.metadata, error.retry_delay)
        told.__cause__ = error.__cause__ or error
        return told

    def _raise_if_closed(self, failure: Exception) -> None:
        if self._closed.is_set():
            raise RegistryError(grpc.StatusCode.CANCELLED, "the client is closed") from failure


def check_timeout(timeout: float) -> float:
    """Answer a timeout that every clock can hold.

    Raises:
        ValueError: It is not more than 0.

    """
    if timeout > 0:
        return min(timeout, _LONGEST_TIMEOUT)
    raise ValueError(f"a timeout is more than 0 seconds, not {timeout}")


def call(method: Callable[..., _Answer], request: object, attempts: Attempts) -> _Answer:
    """Call a unary method until it answers, or fails for good."""
    attempts.start_clock()
    while True:
        try:
            answer = method(request, timeout=attempts.remaining)
            if answer is None:  # gRPC does not mind a good status without a message.
                raise RegistryError(grpc.StatusCode.INTERNAL, "the call ended without an answer")
            return answer
        except FAILURES as failure:
            attempts.wait_after(failure)


def should_repeat(error: RegistryError) -> bool:
    """Tell whether another attempt can succeed."""
    if error.code in _CODES_TO_REPEAT or error.retry_delay is not None:
        return True
    is_broken = error.reason == "" and error.code in _CODES_OF_A_BROKEN_CONNECTION
    return is_broken and _TOO_LARGE not in error.message


def wait_before(repetition: int, retry_delay: float | None) -> float:
    """Answer how many seconds to wait before the n-th repetition."""
    doublings = min(repetition - 1, 10)  # Far beyond the longest wait, and far from the largest float.
    wait = min(_FIRST_WAIT * 2.0**doublings, _LONGEST_WAIT) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
    return max(wait, retry_delay or 0)
