package dev.stele.client;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import io.grpc.CallCredentials;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.stub.AbstractStub;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/** What all calls of a client share: the channel, the token, the timeout, and the end of it all. */
final class Connection implements AutoCloseable {
  private static final Executor IN_FIVE_SECONDS =
      CompletableFuture.delayedExecutor(5, TimeUnit.SECONDS);

  private final ManagedChannel channel;
  private final CallCredentials token;
  private final Duration timeout;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  /** Takes over the channel; a null token is none. */
  Connection(ManagedChannel channel, CallCredentials token, Duration timeout) {
    this.channel = channel;
    this.token = token;
    this.timeout = timeout;
    limitReconnectBackoff();
  }

  <S extends AbstractStub<S>> S stub(Function<Channel, S> factory) {
    S stub = factory.apply(channel);
    return token == null ? stub : stub.withCallCredentials(token);
  }

  /** The timeout from now on, or the deadline of the caller's context where that comes sooner. */
  Deadline newDeadline() {
    Deadline ours = Deadline.after(NANOSECONDS.convert(timeout), NANOSECONDS);
    Deadline theirs = Context.current().getDeadline();
    return theirs == null ? ours : ours.minimum(theirs);
  }

  /** The service's {@code host:port}. */
  String address() {
    return channel.authority();
  }

  /** What it means that the deadline has passed. */
  String lateness(Deadline deadline) {
    if (deadline == Context.current().getDeadline()) return "no answer before the deadline";
    var seconds = BigDecimal.valueOf(timeout.toMillis(), 3).stripTrailingZeros();
    return "no answer within " + seconds.toPlainString() + " s";
  }

  /** Why the caller's calls are to go no further, if so. */
  Optional<String> end() {
    if (channel.isShutdown()) return Optional.of("the client was closed");
    if (Thread.currentThread().isInterrupted()) return Optional.of("the thread was interrupted");
    if (Context.current().isCancelled()) return Optional.of("the context was cancelled");
    return Optional.empty();
  }

  /**
   * Waits before another attempt, and ends at once when there is an {@link #end()}. The channel
   * connects again in the last tenth of the wait, so that the attempt finds it connected.
   */
  void pause(Duration wait) {
    await(wait.toNanos() / 10 * 9);
    channel.resetConnectBackoff();
    await(wait.toNanos() / 10);
  }

  @Override
  public void close() {
    channel.shutdownNow();
    signal();
  }

  private void await(long nanos) {
    Context.CancellationListener listener = context -> signal();
    Context.current().addListener(listener, Runnable::run);
    lock.lock();
    try {
      for (long left = nanos; left > 0 && end().isEmpty(); ) left = changed.awaitNanos(left);
    } catch (InterruptedException exception) {
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
      Context.current().removeListener(listener);
    }
  }

  private void signal() {
    lock.lock();
    try {
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  // The channel's own backoff grows to two minutes, and cannot be set.
  private void limitReconnectBackoff() {
    IN_FIVE_SECONDS.execute(
        () -> {
          if (channel.isShutdown()) return;
          channel.resetConnectBackoff();
          limitReconnectBackoff();
        });
  }
}
