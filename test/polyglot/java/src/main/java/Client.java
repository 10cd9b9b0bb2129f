import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import dev.stele.v1.DatasetReference;
import dev.stele.v1.GetVersionRequest;
import dev.stele.v1.ListVersionsRequest;
import dev.stele.v1.ModelMetadata;
import dev.stele.v1.ModelRegistryServiceGrpc;
import dev.stele.v1.RegisterVersionRequest;
import io.grpc.ManagedChannelBuilder;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.ArrayList;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Registers, gets and lists with the generated client: Client ADDRESS MODEL prints one line of JSON. */
public final class Client {
  public static void main(String[] arguments) throws Exception {
    var model = arguments[1];
    var channel = ManagedChannelBuilder.forTarget(arguments[0]).usePlaintext().build();
    var registry = ModelRegistryServiceGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    var metadata = ModelMetadata.newBuilder()
        .setArchitecture("CNN")
        .addTrainingData(DatasetReference.newBuilder().setName("dataset_v3"))
        .putMetrics("accuracy", 0.95);
    var request = RegisterVersionRequest.newBuilder()
        .setModel(model).setVersion("1.0.1").setMetadata(metadata).build();

    var registered = registry.registerVersion(request).getModelVersion();
    var selection = GetVersionRequest.newBuilder().setModel(model).setVersion("1.0.1").build();
    var got = registry.getVersion(selection).getModelVersion();
    var listed = new ArrayList<String>();
    registry.listVersions(ListVersionsRequest.newBuilder().setModel(model).setPageSize(1).build())
        .forEachRemaining(page -> page.getVersionsList()
            .forEach(each -> listed.add(each.getModelVersion().getVersion())));
    try {
      registry.registerVersion(request);
      throw new IllegalStateException("the second registration was not refused");
    } catch (StatusRuntimeException error) {
      var info = errorInfo(error);
      System.out.println(new Gson().toJson(Map.of(
          "registered", registered.getVersion(),
          "digest", got.getDigest(),
          "listed", listed,
          "code", error.getStatus().getCode().name(),
          "reason", info.getReason(),
          "domain", info.getDomain(),
          "identical", info.getMetadataOrThrow("identical"),
          "existing_digest", info.getMetadataOrThrow("existing_digest"))));
    }
    channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
  }

  private static ErrorInfo errorInfo(StatusRuntimeException error) throws Exception {
    for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) return detail.unpack(ErrorInfo.class);
    }
    throw new IllegalStateException("no ErrorInfo", error);
  }
}
