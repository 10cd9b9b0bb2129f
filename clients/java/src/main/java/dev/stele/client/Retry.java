package dev.stele.client;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import io.grpc.Deadline;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** The repetitions of one call, or of the wait for one message of a listing. */
final class Retry {
  private static final long FIRST_MS = 100;
  private static final long MOST_MS = 5000;

  /** How much earlier than here the service may find that the deadline has passed. */
  private static final long SKEW_MS = 50;

  private final Connection connection;
  private final Deadline deadline;
  private int repetitions;
  private Failure before;

  Retry(Connection connection, Deadline deadline) {
    this.connection = connection;
    this.deadline = deadline;
  }

  Deadline deadline() {
    return deadline;
  }

  /**
   * Waits until the attempt may be repeated. Throws the failure where it cannot be mended by that,
   * or where the wait would end after the deadline.
   */
  void await(Failure failure) {
    if (!failure.isRepeatable()) throw told(failure);
    throwIfEnded(failure);
    Duration wait = backoff(++repetitions, ThreadLocalRandom.current().nextDouble());
    if (failure.retryDelay().compareTo(wait) > 0) wait = failure.retryDelay();
    if (NANOSECONDS.convert(wait) > deadline.timeRemaining(NANOSECONDS)) throw told(failure);
    connection.pause(wait);
    throwIfEnded(failure);
    before = failure;
  }

  /** The wait before the n-th repetition, for a random number from 0 to 1. */
  static Duration backoff(int repetition, double random) {
    long ms = Math.min(FIRST_MS << Math.min(repetition - 1, 10), MOST_MS);
    return Duration.ofNanos((long) (ms * 1e6 * (0.8 + 0.4 * random)));
  }

  /** Names the address in a failure on the way there, and at a deadline what was tried before. */
  private RegistryException told(Failure failure) {
    boolean isLate = failure.code() == Status.Code.DEADLINE_EXCEEDED;
    boolean isOnTheWay = isLate || failure.code() == Status.Code.UNAVAILABLE;
    if (failure.info().isPresent() || !isOnTheWay) return failure.toException();
    String message = failure.message();
    if (isLate && deadline.timeRemaining(MILLISECONDS) < SKEW_MS) {
      message = connection.lateness(deadline);
      if (before != null) {
        message += "; the attempt before failed: " + before.code() + ": " + before.message();
      }
    }
    return new RegistryException(failure, connection.address() + ": " + message);
  }

  private void throwIfEnded(Failure last) {
    connection
        .end()
        .ifPresent(
            why -> {
              throw last.cancelled(why).toException();
            });
  }
}
