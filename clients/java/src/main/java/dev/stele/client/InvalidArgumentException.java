package dev.stele.client;

import java.io.Serializable;
import java.util.List;

/** The request breaks a rule; the {@link #reason()} tells which kind. */
public final class InvalidArgumentException extends RegistryException {
  private static final long serialVersionUID = 1;

  /**
   * A field that breaks its rule.
   *
   * @param field its path by the names of the proto, such as {@code metadata.artifacts[2].digest}
   * @param description the rule, and what is wrong
   */
  public record Violation(String field, String description) implements Serializable {}

  @SuppressWarnings("serial") // The list is a serializable one.
  private final List<Violation> violations;

  InvalidArgumentException(Failure failure) {
    super(failure);
    violations =
        failure.badRequest().getFieldViolationsList().stream()
            .map(each -> new Violation(each.getField(), each.getDescription()))
            .toList();
  }

  /**
   * The fields that break their rules.
   *
   * @return the violations, unmodifiable; empty when the request as a whole is wrong
   */
  public List<Violation> violations() {
    return violations;
  }

  /**
   * How many more violations there are than fitted into the answer.
   *
   * @return their number, mostly 0
   */
  public int violationsOmitted() {
    return find("violations_omitted").map(Integer::valueOf).orElse(0);
  }
}
