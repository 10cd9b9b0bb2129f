package dev.stele.client;

import java.util.Optional;

/** The model, the version, or a version in the range is not registered, or not for this caller. */
public final class NotFoundException extends RegistryException {
  private static final long serialVersionUID = 1;

  NotFoundException(Failure failure) {
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
   * The version asked for.
   *
   * @return the version; empty when a range was asked for, or the model has no versions
   */
  public Optional<String> version() {
    return find("version");
  }

  /**
   * The range asked for.
   *
   * @return the range; empty when a version was asked for, or the model has no versions
   */
  public Optional<String> range() {
    return find("range");
  }

  /**
   * The highest version below the range.
   *
   * @return the version; empty when there is none
   */
  public Optional<String> nearestBelow() {
    return find("nearest_below");
  }

  /**
   * The lowest version above the range.
   *
   * @return the version; empty when there is none
   */
  public Optional<String> nearestAbove() {
    return find("nearest_above");
  }

  /**
   * The prerelease that {@link dev.stele.v1.Prereleases#PRERELEASES_INCLUDE} would have found.
   *
   * @return the version; empty when there is none
   */
  public Optional<String> nearestPrerelease() {
    return find("nearest_prerelease");
  }
}
