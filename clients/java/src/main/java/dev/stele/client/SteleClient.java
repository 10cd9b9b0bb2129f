package dev.stele.client;

import dev.stele.client.PageStream.Page;
import dev.stele.v1.GetVersionRequest;
import dev.stele.v1.ListModelsRequest;
import dev.stele.v1.ListModelsResponse;
import dev.stele.v1.ListVersionsRequest;
import dev.stele.v1.ListVersionsResponse;
import dev.stele.v1.ListedVersion;
import dev.stele.v1.Model;
import dev.stele.v1.ModelRegistryServiceGrpc;
import dev.stele.v1.ModelRegistryServiceGrpc.ModelRegistryServiceBlockingStub;
import dev.stele.v1.ModelVersion;
import dev.stele.v1.Prereleases;
import dev.stele.v1.RegisterVersionRequest;
import io.grpc.Channel;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.AbstractStub;
import java.util.List;
import java.util.UUID;
import java.util.function.Function;

/**
 * A client of one Stele service. It opens its connection with the first call, and again whenever it
 * breaks. Any number of threads may use it at once; one client for a process is enough.
 *
 * <pre>{@code
 * try (SteleClient client = SteleClient.builder("localhost:50051").plaintext().build()) {
 *   ModelVersion version = client.resolve("vision/resnet-50", "^1.2");
 * }
 * }</pre>
 *
 * <p>Every call blocks until it has its answer, at most for the client's timeout, all attempts
 * together; a deadline of the caller's {@link io.grpc.Context} that comes sooner holds as well. It
 * throws {@link RegistryException} or one of its subclasses. A caller who is interrupted, or whose
 * context is cancelled, gets one with the code {@code CANCELLED} at once, and stays interrupted.
 */
public final class SteleClient implements AutoCloseable {
  private final Connection connection;

  SteleClient(Connection connection) {
    this.connection = connection;
  }

  /**
   * Begins a client; {@link SteleClientBuilder#build()} makes it.
   *
   * @param address {@code host:port}, such as {@code stele.example.org:50051}; calls are spread
   *     over all the addresses that the name has
   * @return the builder, which connects with TLS unless told otherwise
   */
  public static SteleClientBuilder builder(String address) {
    return new SteleClientBuilder(address);
  }

  /**
   * Registers a version. A request without a {@code request_id} gets a fresh one, so that a second
   * attempt gets the answer of the first.
   *
   * @param request the version and its record; it is not changed
   * @return the record as it is stored
   * @throws VersionAlreadyExistsException if the version is taken
   * @throws InvalidArgumentException if the request breaks a rule
   * @throws RegistryException if it fails for another reason
   */
  public ModelVersion register(RegisterVersionRequest request) {
    var repeatable =
        request.getRequestId().isEmpty()
            ? request.toBuilder().setRequestId(UUID.randomUUID().toString()).build()
            : request;
    return call(registry -> registry.registerVersion(repeatable).getModelVersion());
  }

  /**
   * Gets exactly one version.
   *
   * @param model the model's name
   * @param version the version; its build metadata, if any, is no part of its identity
   * @return the record as it is stored
   * @throws NotFoundException if there is no such model or version
   * @throws InvalidArgumentException if the model or the version is malformed
   * @throws RegistryException if it fails for another reason
   */
  public ModelVersion get(String model, String version) {
    return get(GetVersionRequest.newBuilder().setModel(model).setVersion(version).build());
  }

  /**
   * Resolves a range to its highest version; a prerelease is in it by npm's rule.
   *
   * @param model the model's name
   * @param range a range in npm's grammar, such as {@code ^1.2}; {@code *} is the highest of all
   * @return the record of the highest version in the range
   * @throws NotFoundException if there is no such model, or no version in the range
   * @throws InvalidArgumentException if the model or the range is malformed
   * @throws RegistryException if it fails for another reason
   */
  public ModelVersion resolve(String model, String range) {
    return resolve(model, range, Prereleases.PRERELEASES_UNSPECIFIED);
  }

  /**
   * Resolves a range to its highest version, with a rule for prereleases.
   *
   * @param model the model's name
   * @param range a range in npm's grammar, such as {@code ^1.2}; {@code *} is the highest of all
   * @param prereleases which prereleases are in the range
   * @return the record of the highest version in the range
   * @throws NotFoundException if there is no such model, or no version in the range
   * @throws InvalidArgumentException if the model or the range is malformed
   * @throws RegistryException if it fails for another reason
   */
  public ModelVersion resolve(String model, String range, Prereleases prereleases) {
    return get(
        GetVersionRequest.newBuilder()
            .setModel(model)
            .setRange(range)
            .setPrereleases(prereleases)
            .build());
  }

  /**
   * Lists the versions of a model in the order of precedence, as a stream that goes on after a
   * break. The call begins with the iteration.
   *
   * <pre>{@code
   * var request = ListVersionsRequest.newBuilder().setModel("vision/resnet-50").build();
   * try (Listing<ModelVersion> versions = client.listVersions(request)) {
   *   for (ModelVersion version : versions) System.out.println(version.getVersion());
   * }
   * }</pre>
   *
   * @param request which versions; it is not changed
   * @return the listing, to be closed
   */
  public Listing<ModelVersion> listVersions(ListVersionsRequest request) {
    return new Listing<>(
        connection,
        request.getPageToken(),
        token -> {
          var pages =
              new PageStream<ListVersionsRequest, ListVersionsResponse, ModelVersion>(
                  page -> new Page<>(versions(page), page.getNextPageToken()));
          var resumed = request.toBuilder().setPageToken(token).build();
          stub(ModelRegistryServiceGrpc::newStub).listVersions(resumed, pages);
          return pages;
        });
  }

  /**
   * Lists the models of the registry by name, as a stream that goes on after a break. The call
   * begins with the iteration.
   *
   * @param request which models; it is not changed
   * @return the listing, to be closed
   */
  public Listing<Model> listModels(ListModelsRequest request) {
    return new Listing<>(
        connection,
        request.getPageToken(),
        token -> {
          var pages =
              new PageStream<ListModelsRequest, ListModelsResponse, Model>(
                  page -> new Page<>(page.getModelsList(), page.getNextPageToken()));
          var resumed = request.toBuilder().setPageToken(token).build();
          stub(ModelRegistryServiceGrpc::newStub).listModels(resumed, pages);
          return pages;
        });
  }

  /**
   * The generated stub with this client's connection and token, for everything else: other calls,
   * or calls that do not block. It knows nothing of this client's timeout, retries and exceptions.
   *
   * <pre>{@code
   * var registry = client.stub(ModelRegistryServiceGrpc::newFutureStub);
   * var answer = registry.withDeadlineAfter(Duration.ofSeconds(5)).getVersion(request);
   * }</pre>
   *
   * @param factory the stub's factory method in the generated code
   * @param <S> the type of the stub
   * @return a stub, which ends with this client
   */
  public <S extends AbstractStub<S>> S stub(Function<Channel, S> factory) {
    return connection.stub(factory);
  }

  /** Closes the connection. Calls and listings under way end with the code {@code CANCELLED}. */
  @Override
  public void close() {
    connection.close();
  }

  private static List<ModelVersion> versions(ListVersionsResponse page) {
    return page.getVersionsList().stream().map(ListedVersion::getModelVersion).toList();
  }

  private ModelVersion get(GetVersionRequest request) {
    return call(registry -> registry.getVersion(request).getModelVersion());
  }

  private <T> T call(Function<ModelRegistryServiceBlockingStub, T> attempt) {
    Deadline deadline = connection.newDeadline();
    var registry = stub(ModelRegistryServiceGrpc::newBlockingStub).withDeadline(deadline);
    var retry = new Retry(connection, deadline);
    while (true) {
      try {
        return attempt.apply(registry);
      } catch (StatusRuntimeException exception) {
        retry.await(Failure.of(exception));
      }
    }
  }
}
