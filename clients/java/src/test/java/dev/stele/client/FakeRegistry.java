package dev.stele.client;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import dev.stele.v1.GetVersionRequest;
import dev.stele.v1.GetVersionResponse;
import dev.stele.v1.ListVersionsRequest;
import dev.stele.v1.ListVersionsResponse;
import dev.stele.v1.ListedVersion;
import dev.stele.v1.ModelRegistryServiceGrpc;
import dev.stele.v1.ModelVersion;
import dev.stele.v1.RegisterVersionRequest;
import dev.stele.v1.RegisterVersionResponse;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.function.Function;

/** A service in this process that answers each call by the next step of a script. */
final class FakeRegistry extends ModelRegistryServiceGrpc.ModelRegistryServiceImplBase
    implements AutoCloseable {
  /** What came in, and until when the caller waits. */
  final List<Message> requests = Collections.synchronizedList(new ArrayList<>());

  final List<Deadline> deadlines = Collections.synchronizedList(new ArrayList<>());

  private final Queue<Consumer<StreamObserver<ListVersionsResponse>>> script = new ArrayDeque<>();
  private final String name = UUID.randomUUID().toString();
  private final Server server;

  FakeRegistry() throws IOException {
    server = InProcessServerBuilder.forName(name).addService(this).build().start();
  }

  SteleClient client(Duration timeout) {
    var channel = InProcessChannelBuilder.forName(name).build();
    return new SteleClient(new Connection(channel, null, timeout));
  }

  /** The next call gets these pages, and stays open. */
  FakeRegistry then(ListVersionsResponse... pages) {
    script.add(
        call -> {
          for (var page : pages) call.onNext(page);
        });
    return this;
  }

  /** The next call fails after these pages. */
  FakeRegistry thenFail(StatusRuntimeException failure, ListVersionsResponse... pages) {
    script.add(
        call -> {
          for (var page : pages) call.onNext(page);
          call.onError(failure);
        });
    return this;
  }

  /** The next call ends well after these pages. */
  FakeRegistry thenEnd(ListVersionsResponse... pages) {
    script.add(
        call -> {
          for (var page : pages) call.onNext(page);
          call.onCompleted();
        });
    return this;
  }

  static ListVersionsResponse page(String nextToken, String... versions) {
    var page = ListVersionsResponse.newBuilder().setNextPageToken(nextToken);
    for (String version : versions) {
      var record = ModelVersion.newBuilder().setModel("m").setVersion(version);
      page.addVersions(ListedVersion.newBuilder().setModelVersion(record));
    }
    return page.build();
  }

  static StatusRuntimeException failure(Status.Code code, Message... details) {
    var status = com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage("told");
    for (Message detail : details) status.addDetails(Any.pack(detail));
    return StatusProto.toStatusRuntimeException(status.build());
  }

  static ErrorInfo info(String reason, String... metadata) {
    var info = ErrorInfo.newBuilder().setDomain("stele").setReason(reason);
    for (int i = 0; i < metadata.length; i += 2) info.putMetadata(metadata[i], metadata[i + 1]);
    return info.build();
  }

  @Override
  public void registerVersion(
      RegisterVersionRequest request, StreamObserver<RegisterVersionResponse> call) {
    answer(
        request,
        call,
        version -> RegisterVersionResponse.newBuilder().setModelVersion(version).build());
  }

  @Override
  public void getVersion(GetVersionRequest request, StreamObserver<GetVersionResponse> call) {
    answer(
        request, call, version -> GetVersionResponse.newBuilder().setModelVersion(version).build());
  }

  @Override
  public void listVersions(ListVersionsRequest request, StreamObserver<ListVersionsResponse> call) {
    next(request).accept(call);
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  private Consumer<StreamObserver<ListVersionsResponse>> next(Message request) {
    requests.add(request);
    deadlines.add(Context.current().getDeadline());
    return script.remove();
  }

  /** A call with one answer gets the first version of the step's page. */
  private <R> void answer(
      Message request, StreamObserver<R> call, Function<ModelVersion, R> response) {
    next(request)
        .accept(
            new StreamObserver<>() {
              @Override
              public void onNext(ListVersionsResponse page) {
                call.onNext(response.apply(page.getVersions(0).getModelVersion()));
              }

              @Override
              public void onError(Throwable failure) {
                call.onError(failure);
              }

              @Override
              public void onCompleted() {
                call.onCompleted();
              }
            });
  }
}
