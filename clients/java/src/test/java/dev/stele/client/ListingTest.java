package dev.stele.client;

import static dev.stele.client.FakeRegistry.failure;
import static dev.stele.client.FakeRegistry.info;
import static dev.stele.client.FakeRegistry.page;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.stele.v1.ListVersionsRequest;
import dev.stele.v1.ModelVersion;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class ListingTest {
  private static final ListVersionsRequest REQUEST =
      ListVersionsRequest.newBuilder().setModel("m").setPageSize(7).setPageToken("t0").build();

  private FakeRegistry registry;
  private SteleClient client;

  @BeforeEach
  void start() throws Exception {
    registry = new FakeRegistry();
    client = registry.client(Duration.ofSeconds(5));
  }

  @AfterEach
  void stop() {
    client.close();
    registry.close();
  }

  @Test
  void goesOnAfterTheLastMessageWheneverTheStreamBreaks() {
    registry
        .thenFail(failure(Code.UNAVAILABLE, info("SHUTTING_DOWN")), page("t1", "3.0.0"), page("t2"))
        .thenFail(Status.INTERNAL.asRuntimeException())
        .thenEnd(page("t3", "2.0.0"))
        .thenEnd(page("", "1.0.0"));
    assertEquals(List.of("3.0.0", "2.0.0", "1.0.0"), list());
    assertEquals(requests("t0", "t2", "t2", "t3"), registry.requests);
  }

  @Test
  void endsWithAnEmptyTokenThoughTheStatusIsLost() {
    registry.then(page("", "1.0.0"));
    assertEquals(List.of("1.0.0"), list());
  }

  @Test
  void endsWithAnEmptyStream() {
    registry.thenEnd();
    assertEquals(List.of(), list());
  }

  @Test
  void deliversAPageBeforeTheNextOneIsThere() {
    registry.then(page("t1", "1.0.0"));
    var listing = client.listVersions(REQUEST);
    assertEquals("1.0.0", listing.iterator().next().getVersion());
    listing.close();
    assertFalse(listing.iterator().hasNext());
  }

  @Test
  void endsForGoodWhenAnotherThreadClosesIt() {
    registry.then(page("t1", "1.0.0"));
    var listing = client.listVersions(REQUEST);
    listing.iterator().next();
    var reader = Thread.currentThread();
    CompletableFuture.runAsync(
        () -> {
          while (reader.getState() != Thread.State.WAITING) Thread.onSpinWait();
          listing.close();
        });
    assertFalse(listing.iterator().hasNext());
    assertEquals(requests("t0"), registry.requests);
  }

  @Test
  void tellsAnErrorAfterWhatCameBeforeIt() {
    registry.thenFail(failure(Code.NOT_FOUND, info("MODEL_NOT_FOUND")), page("t1", "1.0.0"));
    try (var listing = client.listVersions(REQUEST)) {
      var iterator = listing.iterator();
      assertEquals("1.0.0", iterator.next().getVersion());
      var exception = assertThrows(NotFoundException.class, iterator::hasNext);
      assertSame(exception, assertThrows(NotFoundException.class, iterator::next));
    }
    assertEquals(requests("t0"), registry.requests);
  }

  @Test
  void givesUpWhenNoMessageComesForTheTimeoutAfterAFailure() {
    try (var impatient = registry.client(Duration.ofMillis(500));
        var listing = impatient.listVersions(REQUEST)) {
      var gone = Status.UNAVAILABLE.withDescription("gone").asRuntimeException();
      registry.thenFail(gone, page("t1")).then();
      var exception = assertThrows(RegistryException.class, listing.iterator()::hasNext);
      assertEquals(Code.DEADLINE_EXCEEDED, exception.code());
      assertEquals(
          "localhost: no answer within 0.5 s; the attempt before failed: UNAVAILABLE: gone",
          exception.getMessage());
    }
    assertEquals(requests("t0", "t1"), registry.requests);
  }

  private List<String> list() {
    try (var versions = client.listVersions(REQUEST).stream()) {
      return versions.map(ModelVersion::getVersion).toList();
    }
  }

  private static List<ListVersionsRequest> requests(String... tokens) {
    return Stream.of(tokens).map(token -> REQUEST.toBuilder().setPageToken(token).build()).toList();
  }
}
