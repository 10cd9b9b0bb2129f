package dev.stele.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.grpc.CallCredentials;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class TokenCredentialsTest {
  @Test
  void sendsTheTokenThatIsGivenNow() {
    assertEquals("Bearer abc", apply(TokenCredentials.of("abc")));
    assertEquals("Bearer abc", apply(TokenCredentials.of(() -> "abc")));
  }

  @Test
  void failsTheCallWithUnauthenticatedUnlessTheFunctionSaysOtherwise() {
    assertEquals("UNAUTHENTICATED", fail(new IllegalStateException("no key")));
    assertEquals("UNAVAILABLE", fail(Status.UNAVAILABLE.asRuntimeException()));
    assertEquals("UNAUTHENTICATED", apply(TokenCredentials.of(() -> null)));
  }

  private static String fail(RuntimeException exception) {
    Supplier<String> function =
        () -> {
          throw exception;
        };
    return apply(TokenCredentials.of(function));
  }

  private static String apply(TokenCredentials credentials) {
    var outcome = new CompletableFuture<String>();
    credentials.applyRequestMetadata(
        null,
        Runnable::run,
        new CallCredentials.MetadataApplier() {
          @Override
          public void apply(Metadata headers) {
            var name = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
            outcome.complete(headers.get(name));
          }

          @Override
          public void fail(Status status) {
            outcome.complete(status.getCode().name());
          }
        });
    return outcome.join();
  }
}
