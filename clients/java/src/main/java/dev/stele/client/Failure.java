package dev.stele.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/** A failed attempt, with its details read: whether another can succeed, and which error it is. */
record Failure(
    StatusRuntimeException exception,
    Optional<ErrorInfo> info,
    BadRequest badRequest,
    Optional<RetryInfo> retryInfo) {

  static Failure of(StatusRuntimeException exception) {
    List<Any> details = details(exception);
    return new Failure(
        exception,
        find(ErrorInfo.class, details).filter(info -> info.getDomain().equals("stele")),
        find(BadRequest.class, details).orElse(BadRequest.getDefaultInstance()),
        find(RetryInfo.class, details));
  }

  Status.Code code() {
    return exception.getStatus().getCode();
  }

  /** The text of the service; of a failure here with those of its causes, which say the most. */
  String message() {
    Status status = exception.getStatus();
    String text = Optional.ofNullable(status.getDescription()).orElse(code().name());
    if (info.isPresent()) return text;
    return Stream.iterate(status.getCause(), Objects::nonNull, Throwable::getCause)
        .map(Throwable::getMessage)
        .filter(Objects::nonNull)
        .reduce(text, (told, each) -> told.contains(each) ? told : told + ": " + each);
  }

  boolean isRepeatable() {
    return switch (code()) {
      case UNAVAILABLE, ABORTED -> true;
      default -> retryInfo.isPresent() || (info.isEmpty() && isBrokenConnection());
    };
  }

  /** What the service asks to wait at least; zero where it asks for nothing that makes sense. */
  Duration retryDelay() {
    var delay = retryInfo.orElse(RetryInfo.getDefaultInstance()).getRetryDelay();
    if (!Durations.isValid(delay)) return Duration.ZERO;
    return Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
  }

  Failure cancelled(String why) {
    return of(Status.CANCELLED.withDescription(why).withCause(exception).asRuntimeException());
  }

  RegistryException toException() {
    if (code() == Status.Code.INVALID_ARGUMENT) return new InvalidArgumentException(this);
    return switch (info.map(ErrorInfo::getReason).orElse("")) {
      case "VERSION_ALREADY_EXISTS" -> new VersionAlreadyExistsException(this);
      case "MODEL_NOT_FOUND", "VERSION_NOT_FOUND" -> new NotFoundException(this);
      default -> new RegistryException(this);
    };
  }

  /**
   * Whether it is a status that grpc-java makes of a stream that ended before its time. A reset and
   * a GOAWAY have the code that belongs to their HTTP/2 error, told in the text; frames cut short
   * and trailers without a status are INTERNAL or UNKNOWN. These codes are also those of a failure
   * on this side, which has a cause of its own, and of an HTTP answer that is no answer of gRPC.
   */
  private boolean isBrokenConnection() {
    Status status = exception.getStatus();
    String text = String.valueOf(status.getDescription());
    if (text.contains("HTTP/2 error code: ")) return true;
    return switch (status.getCode()) {
      case CANCELLED -> status.getCause() == null;
      case INTERNAL, UNKNOWN ->
          !text.startsWith("HTTP status code ")
              && !(status.getCause() instanceof TokenCredentials.TokenException);
      default -> false;
    };
  }

  private static List<Any> details(StatusRuntimeException exception) {
    try {
      return StatusProto.fromThrowable(exception).getDetailsList();
    } catch (IllegalArgumentException malformed) {
      return List.of();
    }
  }

  private static <M extends Message> Optional<M> find(Class<M> type, List<Any> details) {
    for (Any detail : details) {
      if (!detail.is(type)) continue;
      try {
        return Optional.of(detail.unpack(type));
      } catch (InvalidProtocolBufferException malformed) {
        return Optional.empty();
      }
    }
    return Optional.empty();
  }
}
