package stele

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	stelev1 "stele.dev/api/stele/v1"
)

// fakeRegistry answers the n-th call, from 1, as the test says, and keeps the requests.
type fakeRegistry struct {
	stelev1.UnimplementedModelRegistryServiceServer
	get      func(ctx context.Context, call int) (*stelev1.GetVersionResponse, error)
	register func(call int, request *stelev1.RegisterVersionRequest) error
	list     func(call int, stream grpc.ServerStreamingServer[stelev1.ListVersionsResponse]) error

	mu            sync.Mutex
	count         int
	registrations []*stelev1.RegisterVersionRequest
	listings      []*stelev1.ListVersionsRequest
}

func (f *fakeRegistry) begin(note func()) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	note()
	f.count++
	return f.count
}

func (f *fakeRegistry) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

func (f *fakeRegistry) GetVersion(
	ctx context.Context, _ *stelev1.GetVersionRequest,
) (*stelev1.GetVersionResponse, error) {
	return f.get(ctx, f.begin(func() {}))
}

func (f *fakeRegistry) RegisterVersion(
	_ context.Context, request *stelev1.RegisterVersionRequest,
) (*stelev1.RegisterVersionResponse, error) {
	call := f.begin(func() { f.registrations = append(f.registrations, request) })
	version := &stelev1.ModelVersion{Model: request.GetModel(), Version: request.GetVersion()}
	return &stelev1.RegisterVersionResponse{ModelVersion: version}, f.register(call, request)
}

func (f *fakeRegistry) ListVersions(
	request *stelev1.ListVersionsRequest, stream grpc.ServerStreamingServer[stelev1.ListVersionsResponse],
) error {
	return f.list(f.begin(func() { f.listings = append(f.listings, request) }), stream)
}

// connect serves the fake within the process and returns a client of it.
func connect(t *testing.T, fake *fakeRegistry, opts ...Option) *Client {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	stelev1.RegisterModelRegistryServiceServer(server, fake)
	go server.Serve(listener)
	dialer := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	})
	client, err := New("127.0.0.1:1", append(opts, WithPlaintext(), WithDialOptions(dialer))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Stop()
	})
	return client
}

// failure is an error of the service, as a client gets it.
func failure(code codes.Code, reason string, metadata map[string]string, details ...protoadapt.MessageV1) error {
	info := &errdetails.ErrorInfo{Domain: "stele", Reason: reason, Metadata: metadata}
	detailed, err := status.New(code, "what happened").WithDetails(append(details, info)...)
	if err != nil {
		panic(err)
	}
	return detailed.Err()
}

func retryAfter(delay time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(delay)}
}
