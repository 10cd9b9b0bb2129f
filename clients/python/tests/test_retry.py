import threading
from types import SimpleNamespace

import grpc
import pytest

import stele
from stele._retry import Attempts, call, should_repeat, wait_before

ADDRESS = "localhost:1"


class Clock(threading.Event):
    """A time that passes only by waiting; it is in the place of the event that ends a wait."""

    now = 1000.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0
        return False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("stele._retry.time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr("stele._retry.random", SimpleNamespace(uniform=lambda *_: 1.0))
    return clock


def test_waits_double_from_a_tenth_of_a_second_up_to_five() -> None:
    expected = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]
    for repetition, wait in [*enumerate(expected, start=1), (1_000_000, 5)]:
        waits = [wait_before(repetition, None) for _ in range(200)]
        assert wait * 0.8 <= min(waits) < wait < max(waits) <= wait * 1.2


def test_waits_at_least_as_long_as_the_service_asks() -> None:
    assert wait_before(1, 0.5) == 0.5
    assert wait_before(7, 0.5) >= 4


@pytest.mark.parametrize(
    ("code", "reason", "retry_delay", "expected"),
    [
        ("UNAVAILABLE", "", None, True),
        ("UNAVAILABLE", "SHUTTING_DOWN", 1, True),
        ("ABORTED", "INCREMENT_CONTENDED", None, True),
        ("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS", 1, True),
        ("RESOURCE_EXHAUSTED", "REQUEST_TOO_LARGE", None, False),
        ("ALREADY_EXISTS", "VERSION_ALREADY_EXISTS", None, False),
        ("DEADLINE_EXCEEDED", "", None, False),
        ("UNAUTHENTICATED", "", None, False),
        # A connection that broke: a reset by its code, and an end without a status.
        ("CANCELLED", "", None, True),
        ("INTERNAL", "", None, True),
        ("RESOURCE_EXHAUSTED", "", None, True),
        ("UNKNOWN", "", None, True),
        # The same codes from the service.
        ("CANCELLED", "CANCELLED", None, False),
        ("INTERNAL", "INTERNAL", None, False),
        ("UNKNOWN", "OUTCOME_UNKNOWN", None, False),
    ],
)
def test_repeats_what_can_succeed(code: str, reason: str, retry_delay: float | None, expected: bool) -> None:
    error = stele.RegistryError(grpc.StatusCode[code], "", reason, {}, retry_delay)
    assert should_repeat(error) is expected


def test_does_not_repeat_a_message_beyond_the_limit_of_grpc() -> None:
    message = "CLIENT: Received message larger than max (5242890 vs. 4194304)"
    assert not should_repeat(stele.RegistryError(grpc.StatusCode.RESOURCE_EXHAUSTED, message))


def test_all_attempts_share_one_deadline(clock: Clock) -> None:
    timeouts = []
    failures = [stele.RegistryError(grpc.StatusCode.UNAVAILABLE, f"attempt {n}") for n in range(100)]

    def method(_: object, timeout: float) -> object:
        timeouts.append(round(timeout, 3))
        clock.now += 0.05
        raise failures[len(timeouts) - 1]

    with pytest.raises(stele.RegistryError) as raised:
        call(method, None, Attempts(ADDRESS, 1, clock))
    assert timeouts == [1, 0.85, 0.6, 0.15]
    assert str(raised.value) == "UNAVAILABLE: localhost:1: attempt 3"
    assert raised.value.__cause__ is failures[3]
    # The next wait would have ended after the deadline, so that it did not begin.
    assert clock.now == pytest.approx(1000.9)


DEADLINE = stele.RegistryError(grpc.StatusCode.DEADLINE_EXCEEDED, "Stream removed (Deadline Exceeded)")
AWAY = stele.RegistryError(grpc.StatusCode.UNAVAILABLE, "connection refused")


def fail_finally(attempts: Attempts, failure: stele.RegistryError) -> str:
    with pytest.raises(stele.RegistryError) as raised:
        attempts.wait_after(failure)
    told = raised.value
    assert (told.code, told.reason, told.metadata) == (failure.code, failure.reason, failure.metadata)
    return told.message


def test_a_deadline_tells_how_long_was_waited_and_what_failed_before(clock: Clock) -> None:
    attempts = Attempts(ADDRESS, 1.5, clock)
    attempts.start_clock()
    clock.now += 1.49
    assert fail_finally(attempts, DEADLINE) == "localhost:1: no answer within 1.5 s"
    attempts.stop_clock()
    attempts.wait_after(AWAY)
    clock.now += 1.4
    before = "; the attempt before failed: UNAVAILABLE: connection refused"
    assert fail_finally(attempts, DEADLINE) == f"localhost:1: no answer within 1.5 s{before}"
    attempts.stop_clock()
    attempts.start_clock()
    clock.now += 1.5
    assert fail_finally(attempts, DEADLINE) == "localhost:1: no answer within 1.5 s"


def test_keeps_the_message_of_a_deadline_that_is_not_its_own(clock: Clock) -> None:
    attempts = Attempts(ADDRESS, 30, clock)
    assert fail_finally(attempts, DEADLINE) == f"localhost:1: {DEADLINE.message}"
    of_the_service = stele.RegistryError(DEADLINE.code, "too slow", "DEADLINE_EXCEEDED", {"id": "7"})
    clock.now += 30
    assert fail_finally(attempts, of_the_service) == "too slow"


def test_waits_begin_again_with_progress(clock: Clock) -> None:
    attempts = Attempts(ADDRESS, 10, clock)
    failure = stele.RegistryError(grpc.StatusCode.UNAVAILABLE, "")
    for _ in range(3):
        attempts.wait_after(failure)
    assert attempts.remaining == pytest.approx(10 - 0.7)
    attempts.stop_clock()
    assert attempts.remaining is None
    attempts.wait_after(failure)
    assert attempts.remaining == pytest.approx(10 - 0.1)


def test_closing_ends_a_wait_at_once() -> None:
    closed = threading.Event()
    asking = threading.Timer(0.05, closed.set)
    asking.start()
    failure = stele.RegistryError(grpc.StatusCode.UNAVAILABLE, "", retry_delay=30)
    with pytest.raises(stele.RegistryError, match="the client is closed") as raised:
        Attempts(ADDRESS, 60, closed).wait_after(failure)
    assert raised.value.code is grpc.StatusCode.CANCELLED
    asking.join()
