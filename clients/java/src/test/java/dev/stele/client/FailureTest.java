package dev.stele.client;

import static dev.stele.client.FakeRegistry.failure;
import static dev.stele.client.FakeRegistry.info;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.stele.client.InvalidArgumentException.Violation;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class FailureTest {
  @ParameterizedTest
  @EnumSource(value = Code.class, mode = EnumSource.Mode.EXCLUDE, names = "OK")
  void repeatsByTheCodeWhatTheServiceTells(Code code) {
    boolean expected = code == Code.UNAVAILABLE || code == Code.ABORTED;
    assertEquals(expected, isRepeatable(failure(code, info("ANY"))));
    assertEquals(true, isRepeatable(failure(code, info("ANY"), RetryInfo.getDefaultInstance())));
  }

  @ParameterizedTest
  @CsvSource({
    "UNAVAILABLE, io exception, true",
    "UNKNOWN, missing GRPC status in response, true",
    "INTERNAL, Encountered end-of-stream mid-frame, true",
    "CANCELLED, RST_STREAM closed stream. HTTP/2 error code: CANCEL, true",
    "RESOURCE_EXHAUSTED, Connection closed after GOAWAY. HTTP/2 error code: ENHANCE_YOUR_CALM,"
        + " true",
    "PERMISSION_DENIED, RST_STREAM closed stream. HTTP/2 error code: INADEQUATE_SECURITY, true",
    "UNAVAILABLE, HTTP status code 502, true",
    "UNKNOWN, HTTP status code 500, false",
    "RESOURCE_EXHAUSTED, gRPC message exceeds maximum size, false",
    "DEADLINE_EXCEEDED, deadline exceeded, false",
    "UNIMPLEMENTED, unknown method, false",
  })
  void repeatsABrokenConnectionWhateverItsCode(Code code, String text, boolean expected) {
    assertEquals(
        expected, isRepeatable(code.toStatus().withDescription(text).asRuntimeException()));
  }

  @Test
  void tellsWhatIsKnownOfAVersionThatIsTaken() {
    var info =
        info(
            "VERSION_ALREADY_EXISTS",
            "model",
            "m",
            "version",
            "1.0.0",
            "existing_version",
            "1.0.0+b",
            "existing_digest",
            "sha256:0",
            "registered_at",
            "2026-01-02T03:04:05.678Z",
            "identical",
            "false");
    var taken =
        assertInstanceOf(
            VersionAlreadyExistsException.class, exception(failure(Code.ALREADY_EXISTS, info)));
    assertEquals(Code.ALREADY_EXISTS, taken.code());
    assertEquals("VERSION_ALREADY_EXISTS", taken.reason());
    assertEquals("told", taken.getMessage());
    assertEquals(info.getMetadataMap(), taken.metadata());
    assertEquals("m", taken.model());
    assertEquals("1.0.0", taken.version());
    assertEquals(Optional.of("1.0.0+b"), taken.existingVersion());
    assertEquals(Optional.of("sha256:0"), taken.existingDigest());
    assertEquals(Optional.of(Instant.parse("2026-01-02T03:04:05.678Z")), taken.registeredAt());
    assertEquals(Optional.of(false), taken.identical());
  }

  @Test
  void leavesOutWhatTheCallerMayNotRead() {
    var info = info("VERSION_ALREADY_EXISTS", "model", "m", "version", "1.0.0");
    var taken =
        assertInstanceOf(
            VersionAlreadyExistsException.class, exception(failure(Code.ALREADY_EXISTS, info)));
    assertEquals(Optional.empty(), taken.existingVersion());
    assertEquals(Optional.empty(), taken.existingDigest());
    assertEquals(Optional.empty(), taken.registeredAt());
    assertEquals(Optional.empty(), taken.identical());
  }

  @Test
  void tellsWhatCameNearest() {
    var info = info("VERSION_NOT_FOUND", "model", "m", "range", "^2", "nearest_below", "1.0.0");
    var missing =
        assertInstanceOf(NotFoundException.class, exception(failure(Code.NOT_FOUND, info)));
    assertEquals("m", missing.model());
    assertEquals(Optional.empty(), missing.version());
    assertEquals(Optional.of("^2"), missing.range());
    assertEquals(Optional.of("1.0.0"), missing.nearestBelow());
    assertEquals(Optional.empty(), missing.nearestAbove());
    assertEquals(Optional.empty(), missing.nearestPrerelease());
  }

  @Test
  void listsTheViolations() {
    var violation = BadRequest.FieldViolation.newBuilder().setField("f").setDescription("d");
    var badRequest = BadRequest.newBuilder().addFieldViolations(violation).build();
    var info = info("REQUEST_ID_REUSED", "violations_omitted", "3");
    var invalid =
        assertInstanceOf(
            InvalidArgumentException.class,
            exception(failure(Code.INVALID_ARGUMENT, info, badRequest)));
    assertEquals(List.of(new Violation("f", "d")), invalid.violations());
    assertEquals(3, invalid.violationsOmitted());
  }

  @Test
  void hasNoReasonAndNoMetadataForWhatIsNotFromTheService() {
    var foreign = ErrorInfo.newBuilder().setDomain("proxy").setReason("X").putMetadata("a", "b");
    var first = new IllegalStateException("refused", new IllegalStateException());
    var cause = new IllegalStateException("to 127.0.0.1:1", first);
    var local = Status.UNAVAILABLE.withDescription("io").withCause(cause).asRuntimeException();
    assertGeneral("told", failure(Code.UNAVAILABLE, foreign.build()));
    assertGeneral("io: to 127.0.0.1:1: refused", local);
  }

  private static void assertGeneral(String message, StatusRuntimeException failure) {
    var exception = exception(failure);
    assertEquals(RegistryException.class, exception.getClass());
    assertEquals(Code.UNAVAILABLE, exception.code());
    assertEquals("", exception.reason());
    assertEquals(Map.of(), exception.metadata());
    assertEquals(message, exception.getMessage());
  }

  private static boolean isRepeatable(StatusRuntimeException exception) {
    return Failure.of(exception).isRepeatable();
  }

  private static RegistryException exception(StatusRuntimeException exception) {
    return Failure.of(exception).toException();
  }
}
