package dev.stele.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
        "plaintext knows no authorities and no certificate",
        builder().plaintext().authorities(Path.of("ca.pem")));
    assertThrows(
        IllegalArgumentException.class, () -> builder().authorities(Path.of("none")).build());
    assertThrows(IllegalArgumentException.class, () -> builder().token("a\nb"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "localhost",
        "localhost:",
        ":1",
        "localhost:99999",
        "::1:1",
        "http://localhost:1",
        "a@b:1",
        "a/b:1",
        " localhost:1",
        "unix:/run/stele.sock"
      })
  void refusesWhatIsNoAddress(String address) {
    refuses(
        "the address must be host:port, such as localhost:50051, and is not: " + address,
        SteleClient.builder(address));
  }

  @ParameterizedTest
  @ValueSource(strings = {"localhost:1", "127.0.0.1:65535", "[::1]:50051", "stele.example:443"})
  void takesNamesAndNumbers(String address) {
    SteleClient.builder(address).build().close();
  }

  private static SteleClientBuilder builder() {
    return SteleClient.builder("localhost:50051");
  }

  private static void refuses(String message, SteleClientBuilder builder) {
    assertEquals(
        message, assertThrows(IllegalArgumentException.class, builder::build).getMessage());
  }
}
