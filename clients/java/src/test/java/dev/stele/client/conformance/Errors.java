package dev.stele.client.conformance;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import dev.stele.client.InvalidArgumentException;
import dev.stele.client.NotFoundException;
import dev.stele.client.RegistryException;
import dev.stele.client.VersionAlreadyExistsException;
import java.util.Map;
import java.util.Optional;

/** Tells an exception of the client by its own accessors. */
final class Errors {
  private static final Gson GSON = new Gson();

  private Errors() {}

  static JsonObject configuration(IllegalArgumentException exception) {
    var error = new JsonObject();
    error.addProperty("type", "Configuration");
    error.addProperty("message", exception.getMessage());
    return error;
  }

  static JsonObject describe(RegistryException exception) {
    var error = new JsonObject();
    error.addProperty("type", "RegistryError");
    error.addProperty("code", exception.code().name());
    error.addProperty("reason", exception.reason());
    error.addProperty("message", exception.getMessage());
    error.add("metadata", GSON.toJsonTree(exception.metadata()));
    if (exception instanceof VersionAlreadyExistsException taken) describe(error, taken);
    if (exception instanceof NotFoundException missing) describe(error, missing);
    if (exception instanceof InvalidArgumentException invalid) describe(error, invalid);
    return error;
  }

  private static void describe(JsonObject error, VersionAlreadyExistsException taken) {
    error.addProperty("type", "VersionAlreadyExists");
    error.addProperty("model", taken.model());
    error.addProperty("version", taken.version());
    add(error, "existingVersion", taken.existingVersion());
    add(error, "existingDigest", taken.existingDigest());
    add(error, "registeredAt", taken.registeredAt());
    taken.identical().ifPresent(identical -> error.addProperty("identical", identical));
  }

  private static void describe(JsonObject error, NotFoundException missing) {
    error.addProperty("type", "NotFound");
    error.addProperty("model", missing.model());
    add(error, "version", missing.version());
    add(error, "range", missing.range());
    add(error, "nearestBelow", missing.nearestBelow());
    add(error, "nearestAbove", missing.nearestAbove());
    add(error, "nearestPrerelease", missing.nearestPrerelease());
  }

  private static void describe(JsonObject error, InvalidArgumentException invalid) {
    error.addProperty("type", "InvalidArgument");
    var violations =
        invalid.violations().stream()
            .map(each -> Map.of("field", each.field(), "description", each.description()))
            .toList();
    error.add("violations", GSON.toJsonTree(violations));
    error.addProperty("violationsOmitted", invalid.violationsOmitted());
  }

  private static void add(JsonObject error, String name, Optional<?> value) {
    value.ifPresent(present -> error.addProperty(name, present.toString()));
  }
}
