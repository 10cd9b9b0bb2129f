package dev.stele.client;

import static dev.stele.client.FakeRegistry.failure;
import static dev.stele.client.FakeRegistry.info;
import static dev.stele.client.FakeRegistry.page;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.rpc.RetryInfo;
import dev.stele.v1.RegisterVersionRequest;
import io.grpc.Context;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(20)
class RetryTest {
  private static final StatusRuntimeException UNAVAILABLE =
      failure(Code.UNAVAILABLE, info("SHUTTING_DOWN"));

  private FakeRegistry registry;

  @BeforeEach
  void start() throws Exception {
    registry = new FakeRegistry();
  }

  @AfterEach
  void stop() {
    registry.close();
  }

  @Test
  void waitsTwiceAsLongEachTimeUpToFiveSeconds() {
    var waits = IntStream.of(1, 2, 3, 6, 7, 1000).mapToObj(n -> Retry.backoff(n, 0.5).toMillis());
    assertEquals(List.of(100L, 200L, 400L, 3200L, 5000L, 5000L), waits.toList());
    assertEquals(Duration.ofMillis(80), Retry.backoff(1, 0));
    assertEquals(Duration.ofMillis(6000), Retry.backoff(9, 1));
  }

  @Test
  void sharesTheDeadlineAndTheRequestIdBetweenAllAttempts() {
    registry.thenFail(UNAVAILABLE).thenFail(failure(Code.ABORTED)).thenEnd(page("", "1.0.0"));
    try (var client = registry.client(Duration.ofSeconds(10))) {
      assertEquals("1.0.0", client.register(request()).getVersion());
    }
    var id = ((RegisterVersionRequest) registry.requests.get(0)).getRequestId();
    assertEquals(4, UUID.fromString(id).version());
    var sent = request().toBuilder().setRequestId(id).build();
    assertEquals(List.of(sent, sent, sent), registry.requests);
    var first = registry.deadlines.get(0).timeRemaining(TimeUnit.MILLISECONDS);
    var last = registry.deadlines.get(2).timeRemaining(TimeUnit.MILLISECONDS);
    assertTrue(Math.abs(first - last) < 100, () -> first + " and " + last);
  }

  @Test
  void keepsTheCallersRequestId() {
    var request = request().toBuilder().setRequestId(UUID.randomUUID().toString()).build();
    registry.thenEnd(page("", "1.0.0"));
    try (var client = registry.client(Duration.ofSeconds(10))) {
      client.register(request);
    }
    assertEquals(List.of(request), registry.requests);
  }

  @ParameterizedTest
  @ValueSource(longs = {60, 10_000_000_000L, 315_576_000_000L})
  void tellsTheLastFailureAtOnceWhenTheWaitWouldEndAfterTheDeadline(long seconds) {
    var delay = com.google.protobuf.Duration.newBuilder().setSeconds(seconds);
    var retryInfo = RetryInfo.newBuilder().setRetryDelay(delay).build();
    registry.thenFail(failure(Code.RESOURCE_EXHAUSTED, info("TOO_MANY_CALLS"), retryInfo));
    assertFails(Code.RESOURCE_EXHAUSTED, client -> client.get("m", "1.0.0"));
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE})
  void takesADelayThatMakesNoSenseForNone(long seconds) {
    var delay = com.google.protobuf.Duration.newBuilder().setSeconds(seconds).setNanos(999_999_999);
    var retryInfo = RetryInfo.newBuilder().setRetryDelay(delay).build();
    registry
        .thenFail(failure(Code.RESOURCE_EXHAUSTED, info("TOO_MANY_CALLS"), retryInfo))
        .thenEnd(page("", "1.0.0"));
    try (var client = registry.client(Duration.ofSeconds(30))) {
      assertEquals("1.0.0", client.get("m", "1.0.0").getVersion());
    }
  }

  @Test
  void knowsATimeoutThatIsLongerThanAnyClock() {
    registry.thenEnd(page("", "1.0.0"));
    try (var client = registry.client(Duration.ofSeconds(Long.MAX_VALUE))) {
      assertEquals("1.0.0", client.get("m", "1.0.0").getVersion());
    }
  }

  @Test
  void tellsHowLongItWaited() {
    registry.then();
    assertTells("DEADLINE_EXCEEDED localhost: no answer within 0.4 s");
  }

  @Test
  void tellsTheFailureBeforeTheDeadline() {
    registry.thenFail(UNAVAILABLE).then();
    assertTells(
        "DEADLINE_EXCEEDED localhost: no answer within 0.4 s;"
            + " the attempt before failed: UNAVAILABLE: told");
  }

  @Test
  void tellsTheDeadlineOfTheContextWithoutANumber() {
    registry.then();
    var timer = Executors.newSingleThreadScheduledExecutor();
    try (var context = Context.current().withDeadlineAfter(300, TimeUnit.MILLISECONDS, timer)) {
      context.run(() -> assertTells("DEADLINE_EXCEEDED localhost: no answer before the deadline"));
    } finally {
      timer.shutdownNow();
    }
  }

  @Test
  void namesTheAddressInAFailureThatDoesNotComeFromThere() {
    registry.thenFail(longWait());
    assertTells("UNAVAILABLE localhost: told");
    registry.thenFail(failure(Code.DEADLINE_EXCEEDED));
    assertTells("DEADLINE_EXCEEDED localhost: told");
    registry.thenFail(failure(Code.DEADLINE_EXCEEDED));
    assertTells("DEADLINE_EXCEEDED localhost: no answer within 0.04 s", Duration.ofMillis(40));
    registry.thenFail(failure(Code.DEADLINE_EXCEEDED, info("DEADLINE_EXCEEDED")));
    assertTells("DEADLINE_EXCEEDED told");
  }

  @Test
  void tellsAtOnceWhatCannotBeMended() {
    registry.thenFail(failure(Code.ALREADY_EXISTS, info("VERSION_ALREADY_EXISTS")));
    assertFails(Code.ALREADY_EXISTS, client -> client.register(request()));
  }

  @Test
  void endsTheWaitWhenTheThreadIsInterrupted() {
    registry.thenFail(longWait());
    var caller = Thread.currentThread();
    interfere(caller::interrupt);
    assertFails(Code.CANCELLED, client -> client.get("m", "1.0.0"));
    assertTrue(Thread.interrupted());
  }

  @Test
  void endsTheWaitWhenTheContextIsCancelled() {
    registry.thenFail(longWait());
    var context = Context.current().withCancellation();
    interfere(() -> context.cancel(null));
    context.run(() -> assertFails(Code.CANCELLED, client -> client.get("m", "1.0.0")));
  }

  @Test
  void endsTheWaitWhenTheClientIsClosed() {
    registry.thenFail(longWait());
    assertFails(
        Code.CANCELLED,
        client -> {
          interfere(client::close);
          client.get("m", "1.0.0");
        });
  }

  @Test
  void endsACallUnderWayWhenTheClientIsClosed() {
    registry.then();
    assertFails(
        Code.CANCELLED,
        client -> {
          interfere(client::close);
          client.get("m", "1.0.0");
        });
  }

  /** The call fails after one attempt. */
  private void assertFails(Code code, Consumer<SteleClient> call) {
    try (var client = registry.client(Duration.ofSeconds(30))) {
      var exception = assertThrows(RegistryException.class, () -> call.accept(client));
      assertEquals(code, exception.code());
    }
    assertEquals(1, registry.requests.size());
  }

  /** A call of at most 0.4 s fails with this code and message. */
  private void assertTells(String expected) {
    assertTells(expected, Duration.ofMillis(400));
  }

  private void assertTells(String expected, Duration timeout) {
    try (var client = registry.client(timeout)) {
      var exception = assertThrows(RegistryException.class, () -> client.get("m", "1.0.0"));
      assertEquals(expected, exception.code() + " " + exception.getMessage());
    }
  }

  /** Acts as soon as the call has arrived. */
  private void interfere(Runnable action) {
    var thread =
        new Thread(
            () -> {
              while (registry.requests.isEmpty()) Thread.onSpinWait();
              action.run();
            });
    thread.setDaemon(true);
    thread.start();
  }

  private static StatusRuntimeException longWait() {
    var delay = com.google.protobuf.Duration.newBuilder().setSeconds(25);
    return failure(Code.UNAVAILABLE, RetryInfo.newBuilder().setRetryDelay(delay).build());
  }

  private static RegisterVersionRequest request() {
    return RegisterVersionRequest.newBuilder().setModel("m").setVersion("1.0.0").build();
  }
}
