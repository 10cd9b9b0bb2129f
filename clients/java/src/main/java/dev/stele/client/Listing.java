package dev.stele.client;

import dev.stele.client.PageStream.Page;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Collections;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A listing as it streams in: one iteration, in the order of the service, for one thread. It has no
 * deadline. When its stream breaks it goes on after the last message received, so that each item
 * comes once; it gives up when no message comes for the client's timeout after a failure.
 *
 * <p>Close it, best with {@code try}: one that is left half way holds its call otherwise. At its
 * end it has closed itself.
 *
 * <p>{@code hasNext} and {@code next} throw {@link RegistryException} or one of its subclasses.
 * Calling them again after that throws the same again.
 *
 * @param <T> what is listed
 */
public final class Listing<T> implements Iterable<T>, AutoCloseable {
  private final Connection connection;
  private final Function<String, PageStream<?, ?, T>> opener;
  private final Iterator<T> iterator = new Items();
  private String token;
  private PageStream<?, ?, T> stream;
  private Iterator<T> page = Collections.emptyIterator();
  private boolean isComplete;
  private RegistryException failure;
  private volatile boolean isClosed;

  Listing(Connection connection, String token, Function<String, PageStream<?, ?, T>> opener) {
    this.connection = connection;
    this.token = token;
    this.opener = opener;
  }

  /**
   * The iteration.
   *
   * @return always the same iterator, which goes on where it was left
   */
  @Override
  public Iterator<T> iterator() {
    return iterator;
  }

  /**
   * The rest of the iteration as a stream.
   *
   * @return a sequential stream, which closes this listing when it is closed
   */
  public Stream<T> stream() {
    return StreamSupport.stream(spliterator(), false).onClose(this::close);
  }

  /** Ends the iteration and its call. */
  @Override
  public synchronized void close() {
    isClosed = true;
    closeStream();
  }

  /** Takes one message, or the end, through as many streams as that needs. */
  private void receive() {
    if (failure != null) throw failure;
    Retry retry = null;
    while (true) {
      try {
        accept(openStream().next(retry == null ? null : retry.deadline()));
        return;
      } catch (StatusRuntimeException exception) {
        closeStream();
        if (isClosed) return;
        if (retry == null) retry = new Retry(connection, connection.newDeadline());
        await(retry, Failure.of(exception));
      }
    }
  }

  private void await(Retry retry, Failure last) {
    try {
      retry.await(last);
    } catch (RegistryException exception) {
      failure = exception;
      throw exception;
    }
  }

  private void accept(Optional<Page<T>> received) {
    token = received.map(Page::nextToken).orElse("");
    page = received.map(Page::items).orElse(Collections.emptyList()).iterator();
    if (!token.isEmpty()) return;
    isComplete = true;
    closeStream();
  }

  private synchronized PageStream<?, ?, T> openStream() {
    if (isClosed) throw Status.CANCELLED.asRuntimeException();
    if (stream == null) stream = opener.apply(token);
    return stream;
  }

  private synchronized void closeStream() {
    if (stream != null) stream.cancel();
    stream = null;
  }

  private final class Items implements Iterator<T> {
    @Override
    public boolean hasNext() {
      while (!page.hasNext() && !isComplete && !isClosed) receive();
      return page.hasNext() && !isClosed;
    }

    @Override
    public T next() {
      if (!hasNext()) throw new NoSuchElementException();
      return page.next();
    }
  }
}
