package dev.stele.client.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.stele.client.Digest;
import dev.stele.client.Listing;
import dev.stele.client.RegistryException;
import dev.stele.client.SteleClient;
import dev.stele.v1.ListModelsRequest;
import dev.stele.v1.ListVersionsRequest;
import dev.stele.v1.ModelVersion;
import dev.stele.v1.Prereleases;
import dev.stele.v1.RegisterVersionRequest;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** The runner of the conformance suite: answers each line of JSON with one, through the client. */
public final class Runner {
  private SteleClient client;
  private Listing<? extends Message> listing;

  public static void main(String[] arguments) throws IOException {
    var requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    var runner = new Runner();
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      answers.println(runner.answer(JsonParser.parseString(line).getAsJsonObject()));
    }
    runner.close();
  }

  private JsonObject answer(JsonObject request) throws IOException {
    try {
      return switch (request.get("do").getAsString()) {
        case "connect" -> connect(request);
        case "register" ->
            answer(client.register(message(request, RegisterVersionRequest.newBuilder()).build()));
        case "get" -> answer(client.get(text(request, "model"), text(request, "version")));
        case "resolve" -> answer(resolve(request));
        case "listVersions" ->
            begin(client.listVersions(message(request, ListVersionsRequest.newBuilder()).build()));
        case "listModels" ->
            begin(client.listModels(message(request, ListModelsRequest.newBuilder()).build()));
        case "take" -> take(request);
        case "digest" -> digest(request);
        default -> throw new IllegalArgumentException("unknown request " + request);
      };
    } catch (RegistryException exception) {
      return failure(new JsonObject(), Errors.describe(exception));
    }
  }

  private JsonObject connect(JsonObject request) {
    close();
    var builder = SteleClient.builder(text(request, "address"));
    try {
      if (request.has("plaintext") && request.get("plaintext").getAsBoolean()) builder.plaintext();
      find(request, "caFile").ifPresent(file -> builder.authorities(Path.of(file)));
      find(request, "certificateFile")
          .ifPresent(file -> builder.certificate(Path.of(file), Path.of(text(request, "keyFile"))));
      find(request, "token").ifPresent(builder::token);
      find(request, "timeoutMs")
          .ifPresent(ms -> builder.timeout(Duration.ofMillis(Long.parseLong(ms))));
      client = builder.build();
    } catch (IllegalArgumentException exception) {
      return failure(new JsonObject(), Errors.configuration(exception));
    }
    return new JsonObject();
  }

  private ModelVersion resolve(JsonObject request) {
    var model = text(request, "model");
    var range = text(request, "range");
    return find(request, "prereleases")
        .map(name -> client.resolve(model, range, Prereleases.valueOf(name)))
        .orElseGet(() -> client.resolve(model, range));
  }

  private JsonObject begin(Listing<? extends Message> next) {
    drop();
    listing = next;
    return new JsonObject();
  }

  private JsonObject take(JsonObject request) throws IOException {
    var answer = new JsonObject();
    var items = new JsonArray();
    answer.add("answer", items);
    long count = find(request, "count").map(Long::parseLong).orElse(Long.MAX_VALUE);
    try {
      var iterator = listing.iterator();
      while (items.size() < count && iterator.hasNext()) items.add(json(iterator.next()));
      answer.addProperty("done", items.size() < count);
      return answer;
    } catch (RegistryException exception) {
      answer.addProperty("done", true);
      return failure(answer, Errors.describe(exception));
    }
  }

  private JsonObject digest(JsonObject request) throws IOException {
    var record = ModelVersion.newBuilder();
    JsonFormat.parser().merge(request.get("record").toString(), record);
    var answer = new JsonObject();
    answer.addProperty("answer", Digest.of(record.build()));
    return answer;
  }

  private void close() {
    drop();
    if (client != null) client.close();
  }

  private void drop() {
    if (listing != null) listing.close();
    listing = null;
  }

  private static JsonObject answer(Message message) throws IOException {
    var answer = new JsonObject();
    answer.add("answer", json(message));
    return answer;
  }

  private static JsonObject failure(JsonObject answer, JsonObject error) {
    answer.add("error", error);
    return answer;
  }

  private static JsonElement json(Message message) throws InvalidProtocolBufferException {
    return JsonParser.parseString(JsonFormat.printer().print(message));
  }

  private static <B extends Message.Builder> B message(JsonObject request, B builder)
      throws InvalidProtocolBufferException {
    JsonFormat.parser().merge(request.get("request").toString(), builder);
    return builder;
  }

  private static String text(JsonObject request, String name) {
    return request.get(name).getAsString();
  }

  private static Optional<String> find(JsonObject request, String name) {
    return Optional.ofNullable(request.get(name)).map(JsonElement::getAsString);
  }
}
