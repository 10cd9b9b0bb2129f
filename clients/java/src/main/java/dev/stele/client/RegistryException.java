package dev.stele.client;

import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import java.util.Map;
import java.util.Optional;

/**
 * A call that failed. Its message is for people; branch on its type, its reason or its code. Its
 * cause is the {@link io.grpc.StatusRuntimeException}, which holds whatever else came with it.
 */
public class RegistryException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final Status.Code code;
  private final String reason;

  @SuppressWarnings("serial") // The map is a serializable one.
  private final Map<String, String> metadata;

  RegistryException(Failure failure) {
    this(failure, failure.message());
  }

  RegistryException(Failure failure, String message) {
    super(message, failure.exception());
    ErrorInfo info = failure.info().orElse(ErrorInfo.getDefaultInstance());
    code = failure.code();
    reason = info.getReason();
    metadata = Map.copyOf(info.getMetadataMap());
  }

  /**
   * The gRPC code.
   *
   * @return such as {@code UNAVAILABLE}
   */
  public Status.Code code() {
    return code;
  }

  /**
   * The service's reason, one of those in docs/errors.md, which is never renamed.
   *
   * @return such as {@code NO_BASE_VERSION}; empty for a failure that does not come from the
   *     service, such as a connection that cannot be opened
   */
  public String reason() {
    return reason;
  }

  /**
   * What is dynamic in the message, as docs/errors.md lists it for each reason.
   *
   * @return texts by name, unmodifiable; empty for a failure that does not come from the service
   */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** An entry of the metadata, if it is there. */
  final Optional<String> find(String name) {
    return Optional.ofNullable(metadata.get(name));
  }
}
