package dev.stele.client;

import io.grpc.Deadline;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * One stream of a listing, from its call to its end, of which one page at most waits to be taken.
 */
final class PageStream<Q, P, T> implements ClientResponseObserver<Q, P> {
  /** What a message holds; an empty token says that the listing is complete. */
  record Page<T>(List<T> items, String nextToken) {}

  private final BlockingQueue<Supplier<Optional<Page<T>>>> events = new LinkedBlockingQueue<>();
  private final Function<P, Page<T>> reader;
  private ClientCallStreamObserver<Q> call;
  private boolean isOpen;

  PageStream(Function<P, Page<T>> reader) {
    this.reader = reader;
  }

  /**
   * Waits for the next page; empty when the stream was an empty one. Throws the failure of the
   * stream, which is CANCELLED when the thread is interrupted, and DEADLINE_EXCEEDED when the page
   * does not come before the deadline. A null deadline is none.
   */
  Optional<Page<T>> next(Deadline deadline) {
    try {
      var event = deadline == null ? events.take() : poll(deadline);
      call.request(1);
      return event.get();
    } catch (InterruptedException exception) {
      Thread.currentThread().interrupt();
      throw Status.CANCELLED.withCause(exception).asRuntimeException();
    }
  }

  void cancel() {
    call.cancel("the listing was closed", null);
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<Q> call) {
    this.call = call;
    call.disableAutoRequestWithInitial(1);
  }

  @Override
  public void onNext(P message) {
    var page = reader.apply(message);
    isOpen = !page.nextToken().isEmpty();
    events.add(() -> Optional.of(page));
  }

  @Override
  public void onError(Throwable failure) {
    StatusRuntimeException exception =
        failure instanceof StatusRuntimeException status
            ? status
            : Status.fromThrowable(failure).asRuntimeException();
    events.add(
        () -> {
          throw exception;
        });
  }

  @Override
  public void onCompleted() {
    if (isOpen) {
      onError(
          Status.UNAVAILABLE.withDescription("the listing ended half way").asRuntimeException());
    } else {
      events.add(Optional::empty);
    }
  }

  private Supplier<Optional<Page<T>>> poll(Deadline deadline) throws InterruptedException {
    var event = events.poll(deadline.timeRemaining(TimeUnit.NANOSECONDS), TimeUnit.NANOSECONDS);
    if (event != null) return event;
    throw Status.DEADLINE_EXCEEDED.asRuntimeException();
  }
}
