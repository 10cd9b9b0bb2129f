import dev.stele.client.SteleClient;
import dev.stele.client.VersionAlreadyExistsException;
import dev.stele.v1.DatasetReference;
import dev.stele.v1.ListVersionsRequest;
import dev.stele.v1.ModelMetadata;
import dev.stele.v1.RegisterVersionRequest;

/** Example ADDRESS MODEL registers a version, reads it back, and meets the one that is taken. */
class Example {
  public static void main(String[] arguments) {
    var model = arguments[1];
    try (var client = SteleClient.builder(arguments[0]).plaintext().build()) {
      var registered = client.register(version(model, 0.95));
      var got = client.get(model, registered.getVersion());
      System.out.println("registered " + got.getVersion() + " with the digest " + got.getDigest());

      var everyVersion = ListVersionsRequest.newBuilder().setModel(model).build();
      try (var versions = client.listVersions(everyVersion)) {
        for (var each : versions) System.out.println(each.getVersion());
      }

      try {
        client.register(version(model, 0.99));
      } catch (VersionAlreadyExistsException taken) {
        System.out.printf(
            "%s is taken by %s, identical: %s%n",
            taken.version(),
            taken.existingDigest().orElse("what you may not read"),
            taken.identical().map(String::valueOf).orElse("unknown"));
      }
    }
  }

  private static RegisterVersionRequest version(String model, double accuracy) {
    var metadata =
        ModelMetadata.newBuilder()
            .setArchitecture("CNN")
            .addTrainingData(DatasetReference.newBuilder().setName("dataset_v3"))
            .putMetrics("accuracy", accuracy);
    return RegisterVersionRequest.newBuilder()
        .setModel(model)
        .setVersion("1.0.1")
        .setMetadata(metadata)
        .build();
  }
}
