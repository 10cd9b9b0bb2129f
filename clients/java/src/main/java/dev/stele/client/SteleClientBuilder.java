package dev.stele.client;

import io.grpc.CallCredentials;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.ManagedChannelRegistry;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * How to connect. Without options the connection is TLS with the authorities of the Java runtime.
 *
 * <pre>{@code
 * SteleClient.builder("stele.example.org:50051")
 *     .authorities(Path.of("ca.pem"))
 *     .token(() -> tokens.current())
 *     .timeout(Duration.ofSeconds(10))
 *     .build();
 * }</pre>
 */
public final class SteleClientBuilder {
  private final String address;
  private boolean plaintext;
  private Path authorities;
  private Path certificate;
  private Path key;
  private CallCredentials token;
  private Duration timeout = Duration.ofSeconds(30);

  SteleClientBuilder(String address) {
    this.address = address;
  }

  /**
   * Connects without TLS: for a service on this machine, or a network that keeps strangers out.
   *
   * @return this builder
   */
  public SteleClientBuilder plaintext() {
    plaintext = true;
    return this;
  }

  /**
   * Trusts these authorities instead of those of the Java runtime.
   *
   * @param file their certificates in PEM
   * @return this builder
   */
  public SteleClientBuilder authorities(Path file) {
    authorities = file;
    return this;
  }

  /**
   * Shows the service a certificate of the client.
   *
   * @param certificateFile the certificate, and those between it and its authority, in PEM
   * @param keyFile its private key, as PKCS #8 in PEM
   * @return this builder
   */
  public SteleClientBuilder certificate(Path certificateFile, Path keyFile) {
    certificate = certificateFile;
    key = keyFile;
    return this;
  }

  /**
   * Sends this bearer token with every call.
   *
   * @param text the token
   * @return this builder
   * @throws IllegalArgumentException if it cannot be a token
   */
  public SteleClientBuilder token(String text) {
    token = TokenCredentials.of(text);
    return this;
  }

  /**
   * Asks for the bearer token before each attempt of a call, so that it can rotate. When the
   * function throws, the call fails with the code {@code UNAUTHENTICATED}, or with that of the
   * {@link io.grpc.StatusRuntimeException} that it throws.
   *
   * @param function gives the token; it may block, and is called on threads of its own
   * @return this builder
   */
  public SteleClientBuilder token(Supplier<String> function) {
    token = TokenCredentials.of(function);
    return this;
  }

  /**
   * How long a call takes at most, all attempts together, and how long a listing goes without a
   * message after a failure.
   *
   * @param duration the time, more than zero; 30 s unless set
   * @return this builder
   */
  public SteleClientBuilder timeout(Duration duration) {
    timeout = duration;
    return this;
  }

  /**
   * Makes the client. Nothing is sent before its first call.
   *
   * @return the client
   * @throws IllegalArgumentException if the options contradict each other, such as a token over
   *     plaintext, or a file cannot be used
   */
  public SteleClient build() {
    require(
        isAddress(address),
        "the address must be host:port, such as localhost:50051, and is not: " + address);
    require(timeout.compareTo(Duration.ZERO) > 0, "the timeout must be more than zero");
    require(!plaintext || token == null, "a token is not sent over plaintext");
    require(
        !plaintext || (authorities == null && certificate == null),
        "plaintext knows no authorities and no certificate");
    return new SteleClient(new Connection(channel(), token, timeout));
  }

  private ManagedChannel channel() {
    return newChannelBuilder()
        .defaultLoadBalancingPolicy("round_robin")
        .disableServiceConfigLookUp()
        .disableRetry() // Retry repeats, for all calls.
        .keepAliveTime(30, TimeUnit.SECONDS)
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        .build();
  }

  private ManagedChannelBuilder<?> newChannelBuilder() {
    try {
      // The target is a URI, whose path has no brackets as those of an IPv6 address.
      var target = "dns:///" + address.replace("[", "%5B").replace("]", "%5D");
      return Grpc.newChannelBuilder(target, credentials());
    } catch (ManagedChannelRegistry.ProviderNotFoundException exception) {
      throw new IllegalArgumentException(exception.getMessage(), exception);
    }
  }

  private ChannelCredentials credentials() {
    if (plaintext) return InsecureChannelCredentials.create();
    var tls = TlsChannelCredentials.newBuilder();
    try {
      if (authorities != null) tls.trustManager(authorities.toFile());
      if (certificate != null) tls.keyManager(certificate.toFile(), key.toFile());
    } catch (IOException exception) {
      throw new IllegalArgumentException(
          "a file cannot be read: " + exception.getMessage(), exception);
    }
    return tls.build();
  }

  private static boolean isAddress(String text) {
    return text.matches("(\\[[0-9a-fA-F:.]+]|[^\\s/?#@:\\[\\]]+):[0-9]{1,5}")
        && Integer.parseInt(text.substring(text.lastIndexOf(':') + 1)) <= 65535;
  }

  private static void require(boolean holds, String rule) {
    if (!holds) throw new IllegalArgumentException(rule);
  }
}
