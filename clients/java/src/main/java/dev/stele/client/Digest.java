package dev.stele.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import dev.stele.v1.ModelVersion;
import java.io.IOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.erdtman.jcs.JsonCanonicalizer;

/** The digest of a record, computed here by the rule of docs/digest.md. */
public final class Digest {
  private Digest() {}

  /**
   * The digest of a record's model, version and metadata. It equals {@link
   * ModelVersion#getDigest()} when the record is what was registered.
   *
   * <pre>{@code
   * boolean genuine = Digest.of(version).equals(version.getDigest());
   * }</pre>
   *
   * @param record a record that the service answered, or one that is about to be registered
   * @return {@code sha256:} and 64 lower-case hexadecimal digits
   * @throws IllegalArgumentException if a number in the attributes is not finite, which JSON has
   *     not
   */
  public static String of(ModelVersion record) {
    try {
      byte[] canonical = ("stele-record-v1\n" + canonicalJson(record)).getBytes(UTF_8);
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(canonical);
      return "sha256:" + HexFormat.of().formatHex(hash);
    } catch (NoSuchAlgorithmException exception) {
      throw new IllegalStateException("every Java runtime has SHA-256", exception);
    }
  }

  static String canonicalJson(ModelVersion record) {
    var content =
        ModelVersion.newBuilder().setModel(record.getModel()).setVersion(record.getVersion());
    if (record.hasMetadata()) content.setMetadata(record.getMetadata());
    try {
      return new JsonCanonicalizer(JsonFormat.printer().print(content)).getEncodedString();
    } catch (InvalidProtocolBufferException exception) {
      throw new IllegalArgumentException(exception.getMessage(), exception);
    } catch (IOException exception) {
      throw new IllegalArgumentException("the record has no JSON", exception);
    }
  }
}
