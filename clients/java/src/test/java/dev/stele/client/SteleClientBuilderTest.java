package dev.stele.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class SteleClientBuilderTest {
  @Test
  void refusesATokenOverPlaintext() {
    refuses("a token is not sent over plaintext", builder().plaintext().token("t"));
    refuses("a token is not sent over plaintext", builder().token(() -> "t").plaintext());
  }

  @Test
  void refusesWhatCannotBeUsed() {
    refuses("the timeout must be more than zero", builder().timeout(Duration.ZERO));
    refuses(
        "the address must be host:port, such as localhost:50051", SteleClient.builder("localhost"));
    refuses(
        "plaintext knows no authorities and no certificate",
        builder().plaintext().authorities(Path.of("ca.pem")));
    assertThrows(
        IllegalArgumentException.class, () -> builder().authorities(Path.of("none")).build());
    assertThrows(IllegalArgumentException.class, () -> builder().token("a\nb"));
  }

  private static SteleClientBuilder builder() {
    return SteleClient.builder("localhost:50051");
  }

  private static void refuses(String message, SteleClientBuilder builder) {
    assertEquals(
        message, assertThrows(IllegalArgumentException.class, builder::build).getMessage());
  }
}
