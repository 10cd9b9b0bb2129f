package dev.stele.client;

import java.time.Instant;
import java.util.Optional;

/**
 * The version is taken, also when only its build metadata differs. What is registered is known to a
 * caller who may read the model.
 */
public final class VersionAlreadyExistsException extends RegistryException {
  private static final long serialVersionUID = 1;

  VersionAlreadyExistsException(Failure failure) {
    super(failure);
  }

  /**
   * The model.
   *
   * @return its name
   */
  public String model() {
    return find("model").orElse("");
  }

  /**
   * The version that was to be registered.
   *
   * @return the version, as it was asked for
   */
  public String version() {
    return find("version").orElse("");
  }

  /**
   * The version that is registered, with its own build metadata.
   *
   * @return the version; empty when the caller may not read the model
   */
  public Optional<String> existingVersion() {
    return find("existing_version");
  }

  /**
   * The digest of what is registered.
   *
   * @return {@code sha256:} and 64 digits; empty when the caller may not read the model
   */
  public Optional<String> existingDigest() {
    return find("existing_digest");
  }

  /**
   * When it was registered, by the service's clock.
   *
   * @return the time, in whole milliseconds; empty when the caller may not read the model
   */
  public Optional<Instant> registeredAt() {
    return find("registered_at").map(Instant::parse);
  }

  /**
   * Whether the content that is registered is the one that was to be.
   *
   * @return true when it is, false when it is not; empty when the caller may not read the model
   */
  public Optional<Boolean> identical() {
    return find("identical").map(Boolean::valueOf);
  }
}
