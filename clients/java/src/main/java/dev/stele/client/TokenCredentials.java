package dev.stele.client;

import io.grpc.CallCredentials;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.function.Supplier;

/** Sends a bearer token with each attempt of a call. */
final class TokenCredentials extends CallCredentials {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  // A function that blocks must not keep the thread of the call from seeing its deadline.
  private static final Executor THREADS =
      Executors.newCachedThreadPool(
          task -> {
            var thread = new Thread(task, "stele-token");
            thread.setDaemon(true);
            return thread;
          });

  private final Supplier<String> header;
  private final Executor executor;

  private TokenCredentials(Supplier<String> header, Executor executor) {
    this.header = header;
    this.executor = executor;
  }

  static TokenCredentials of(String token) {
    String header = header(token);
    return new TokenCredentials(() -> header, Runnable::run);
  }

  static TokenCredentials of(Supplier<String> function) {
    return new TokenCredentials(() -> header(function.get()), THREADS);
  }

  @Override
  public void applyRequestMetadata(RequestInfo call, Executor unused, MetadataApplier applier) {
    executor.execute(() -> apply(applier));
  }

  private void apply(MetadataApplier applier) {
    var metadata = new Metadata();
    try {
      metadata.put(AUTHORIZATION, header.get());
    } catch (Throwable failure) {
      applier.fail(status(failure));
      return;
    }
    applier.apply(metadata);
  }

  private static String header(String token) {
    if (token != null && token.matches("[!-~]+")) return "Bearer " + token;
    throw new IllegalArgumentException("a token is visible ASCII characters, at least one");
  }

  private static Status status(Throwable failure) {
    Status told = Status.fromThrowable(failure);
    Status status = told.getCode() == Status.Code.UNKNOWN ? Status.UNAUTHENTICATED : told;
    return status.withDescription("no token could be had").withCause(new TokenException(failure));
  }

  /** Tells a failure of the token function from those of the connection. */
  static final class TokenException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private TokenException(Throwable cause) {
      super(cause.getMessage(), cause);
    }
  }
}
