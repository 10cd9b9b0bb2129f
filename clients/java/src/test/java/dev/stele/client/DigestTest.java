package dev.stele.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Struct;
import com.google.protobuf.Timestamp;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import dev.stele.v1.ModelMetadata;
import dev.stele.v1.ModelVersion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class DigestTest {
  static Stream<JsonObject> vectors() throws IOException {
    var text = Files.readString(Path.of("../../docs/digest-vectors.json"));
    var vectors = JsonParser.parseString(text).getAsJsonArray();
    return StreamSupport.stream(vectors.spliterator(), false).map(JsonElement::getAsJsonObject);
  }

  @ParameterizedTest
  @MethodSource("vectors")
  void agreesWithTheVector(JsonObject vector) throws IOException {
    var record = ModelVersion.newBuilder();
    JsonFormat.parser().merge(vector.get("record").toString(), record);
    record.setDigest("x").setRegisteredAt(Timestamp.getDefaultInstance()).setRegisteredBy("x");
    assertEquals(vector.get("canonical").getAsString(), Digest.canonicalJson(record.build()));
    assertEquals(vector.get("digest").getAsString(), Digest.of(record.build()));
  }

  @Test
  void refusesANumberThatJsonHasNot() {
    var value = Value.newBuilder().setNumberValue(Double.NaN).build();
    var attributes = Struct.newBuilder().putFields("a", value);
    var metadata = ModelMetadata.newBuilder().setAttributes(attributes);
    var record = ModelVersion.newBuilder().setMetadata(metadata).build();
    assertThrows(IllegalArgumentException.class, () -> Digest.of(record));
  }
}
