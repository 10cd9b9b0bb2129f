// Package stele is the client of Stele, an immutable version registry for machine-learning models.
//
// It is a thin layer over the generated code in [stele.dev/api/stele/v1]: it connects, repeats what is worth repeating,
// resumes listings that break, and makes typed errors of statuses.
//
//	client, err := stele.New("registry.example:443", stele.WithToken(os.Getenv("STELE_TOKEN")))
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	version, err := client.Resolve(ctx, "vision/resnet-50", "^1.2", stelev1.Prereleases_PRERELEASES_UNSPECIFIED)
//
// # Deadlines and retries
//
// A call takes at most the client's timeout ([WithTimeout]), and no longer than its context allows, all attempts
// together. It is repeated after UNAVAILABLE and ABORTED, after any failure with a google.rpc.RetryInfo, and after a
// broken connection; the waits between begin at about 0.1 s and double up to about 5 s. When the next wait would end
// after the deadline, the last failure is returned at once. Listings have no timeout of their own, see
// [Client.ListVersions].
//
// # Errors
//
// Every failure of a call is an [*Error], to be had with [errors.As]; [*VersionAlreadyExistsError], [*NotFoundError]
// and [*InvalidArgumentError] know more and unwrap to it. [google.golang.org/grpc/status.Code] works on all of them,
// and [errors.Is] with [context.Canceled] and [context.DeadlineExceeded].
package stele

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	stelev1 "stele.dev/api/stele/v1"
)

// Client is a connection to a registry. Any number of goroutines may use it at once.
type Client struct {
	address    string
	options    options
	connection *grpc.ClientConn
	stub       stelev1.ModelRegistryServiceClient
	closed     context.Context
	close      context.CancelFunc
}

// New makes a client of the registry at address, which is "host:port". All addresses of the host are used in turn.
//
// The connection is TLS with the system's authorities, unless [WithTLS] or [WithPlaintext] says otherwise. It is opened
// with the first call, so an error of New is always about the address or the options, and no [*Error].
func New(address string, opts ...Option) (*Client, error) {
	options, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	connection, err := dial(address, options)
	if err != nil {
		return nil, err
	}
	closed, cancel := context.WithCancel(context.Background())
	stub := stelev1.NewModelRegistryServiceClient(connection)
	return &Client{
		address: address, options: options, connection: connection, stub: stub, closed: closed, close: cancel,
	}, nil
}

// Register registers a version and returns its record as it is stored.
//
// A request without a request_id is sent with a fresh one, a random UUID, so that its retries are safe: a second
// attempt gets the answer of the first. Give one of your own to go on after your process has died. A version that is
// taken is a [*VersionAlreadyExistsError].
//
//	version, err := client.Register(ctx, &stelev1.RegisterVersionRequest{
//		Model:    "vision/resnet-50",
//		Number:   &stelev1.RegisterVersionRequest_Version{Version: "1.4.0"},
//		Metadata: &stelev1.ModelMetadata{Architecture: "ResNet-50"},
//	})
func (c *Client) Register(ctx context.Context, request *stelev1.RegisterVersionRequest) (*stelev1.ModelVersion, error) {
	if request.GetRequestId() == "" {
		fresh := &stelev1.RegisterVersionRequest{RequestId: uuid.NewString()}
		proto.Merge(fresh, request)
		request = fresh
	}
	return recordOf(call(ctx, c, request, c.stub.RegisterVersion))
}

// Get returns the record of exactly this version; its build metadata does not matter. Where there is none, the error is
// a [*NotFoundError].
func (c *Client) Get(ctx context.Context, model, version string) (*stelev1.ModelVersion, error) {
	selector := &stelev1.GetVersionRequest_Version{Version: version}
	request := &stelev1.GetVersionRequest{Model: model, Selector: selector}
	return recordOf(call(ctx, c, request, c.stub.GetVersion))
}

// Resolve returns the record of the highest version in a range in npm's grammar, such as "^1.2" or "*". Prereleases
// tells which prereleases count; 0 is npm's rule. Where there is no such version, the error is a [*NotFoundError] that
// knows what came nearest.
func (c *Client) Resolve(
	ctx context.Context, model, versionRange string, prereleases stelev1.Prereleases,
) (*stelev1.ModelVersion, error) {
	selector := &stelev1.GetVersionRequest_Range{Range: versionRange}
	request := &stelev1.GetVersionRequest{Model: model, Selector: selector, Prereleases: prereleases}
	return recordOf(call(ctx, c, request, c.stub.GetVersion))
}

// Stub returns the generated stub on the client's connection, for everything else. Its calls carry the client's token;
// they have no timeout, are not repeated, and fail with plain gRPC statuses.
func (c *Client) Stub() stelev1.ModelRegistryServiceClient {
	return c.stub
}

// Close ends the calls and listings that are under way, with CANCELLED, and closes the connection.
func (c *Client) Close() error {
	c.close()
	return c.connection.Close()
}

var errClosed = errors.New("the client is closed")

// call makes one unary call: within the timeout, with retries, and with an error of this package.
func call[Request, Response any](
	ctx context.Context, c *Client, request *Request,
	method func(context.Context, *Request, ...grpc.CallOption) (*Response, error),
) (*Response, error) {
	ctx, cancel := c.untilClosed(ctx)
	defer cancel()
	ctx, release := context.WithTimeoutCause(ctx, c.options.timeout, c.options.late())
	defer release()
	var before error
	for attempt := 1; ; attempt++ {
		response, err := method(ctx, request)
		if err == nil {
			return response, nil
		}
		if failure := pause(ctx, attempt, err); failure != nil {
			return nil, c.failed(ctx, failure, before)
		}
		before = err
	}
}

// recordOf returns the record of an answer, which every answer has.
func recordOf(answer interface{ GetModelVersion() *stelev1.ModelVersion }, err error) (*stelev1.ModelVersion, error) {
	record := answer.GetModelVersion()
	if err == nil && record == nil {
		err = newError(status.Error(codes.Internal, "the answer has no record"))
	}
	return record, err
}

// failed makes the error that ends a call or a listing, of its last failure and that of the attempt before, if any. A
// failure on the way to the service names its address, and a deadline what was tried before it.
func (c *Client) failed(ctx context.Context, last, before error) error {
	failure := newError(last)
	err, ok := failure.(*Error)
	if !ok || err.Reason != "" || err.Code != codes.Unavailable && err.Code != codes.DeadlineExceeded {
		return failure
	}
	if err.Code == codes.DeadlineExceeded {
		err.Message = late(ctx, err.Message)
		if before != nil {
			tried := status.Convert(before)
			err.Message += fmt.Sprintf("; the attempt before failed: %v: %s", tried.Code(), tried.Message())
		}
	}
	err.Message = c.address + ": " + err.Message
	return err
}

// untilClosed returns a context that ends with the client too.
func (c *Client) untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.closed, func() { cancel(errClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
