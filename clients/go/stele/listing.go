package stele

import (
	"context"
	"io"
	"iter"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	stelev1 "stele.dev/api/stele/v1"
)

// ListVersions returns the versions of a model, each once, in the order of the request.
//
//	for version, err := range client.ListVersions(ctx, &stelev1.ListVersionsRequest{Model: "vision/resnet-50"}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(version.GetVersion())
//	}
//
// The listing begins with each range over it, and may be left at any time. An error ends it, and comes with a nil
// version. It has no deadline but that of its context. When its stream breaks, it goes on after the last message
// received; the client's timeout bounds how long it goes without a message after a failure.
func (c *Client) ListVersions(
	ctx context.Context, request *stelev1.ListVersionsRequest,
) iter.Seq2[*stelev1.ModelVersion, error] {
	request = proto.CloneOf(request)
	open := func(ctx context.Context, token string) (grpc.ServerStreamingClient[stelev1.ListVersionsResponse], error) {
		after := &stelev1.ListVersionsRequest{}
		proto.Merge(after, request)
		if token != "" {
			after.PageToken = token
		}
		return c.stub.ListVersions(ctx, after)
	}
	read := func(page *stelev1.ListVersionsResponse) ([]*stelev1.ModelVersion, string) {
		versions := make([]*stelev1.ModelVersion, 0, len(page.GetVersions()))
		for _, listed := range page.GetVersions() {
			versions = append(versions, listed.GetModelVersion())
		}
		return versions, page.GetNextPageToken()
	}
	return list(ctx, c, open, read)
}

// ListModels returns the models of the registry, each once, by name. It is a listing as that of [Client.ListVersions].
func (c *Client) ListModels(ctx context.Context, request *stelev1.ListModelsRequest) iter.Seq2[*stelev1.Model, error] {
	request = proto.CloneOf(request)
	open := func(ctx context.Context, token string) (grpc.ServerStreamingClient[stelev1.ListModelsResponse], error) {
		after := &stelev1.ListModelsRequest{}
		proto.Merge(after, request)
		if token != "" {
			after.PageToken = token
		}
		return c.stub.ListModels(ctx, after)
	}
	read := func(page *stelev1.ListModelsResponse) ([]*stelev1.Model, string) {
		return page.GetModels(), page.GetNextPageToken()
	}
	return list(ctx, c, open, read)
}

var errIncomplete = status.Error(codes.Unavailable, "the stream ended before the listing was complete")

// listing is one way through a listing, over as many streams as it takes.
type listing[Page, Item any] struct {
	options options
	// open begins a stream after a token; "" is where the request begins.
	open func(ctx context.Context, token string) (grpc.ServerStreamingClient[Page], error)
	// read returns the items of a page, and its token.
	read func(*Page) ([]Item, string)

	// token is that of the last message; "" before the first.
	token string
	// failures counts those since the last message; deadline is when the next one must have come, after the first of them.
	// before is the last of them that another stream followed.
	failures int
	deadline time.Time
	before   error
}

func list[Page, Item any](
	ctx context.Context, c *Client,
	open func(ctx context.Context, token string) (grpc.ServerStreamingClient[Page], error),
	read func(*Page) ([]Item, string),
) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		ctx, cancel := c.untilClosed(ctx)
		defer cancel()
		l := &listing[Page, Item]{options: c.options, open: open, read: read}
		err := l.deliver(ctx, yield)
		for ; err != nil; err = l.deliver(ctx, yield) {
			if failure := l.pause(ctx, err); failure != nil {
				var none Item
				yield(none, c.failed(ctx, failure, l.before))
				return
			}
			l.before = err
		}
	}
}

// deliver yields the items of one stream. It returns nil when the listing is complete or left.
func (l *listing[Page, Item]) deliver(ctx context.Context, yield func(Item, error) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := l.options.late()
	timer := time.AfterFunc(math.MaxInt64, func() { cancel(late) })
	defer timer.Stop()
	if l.failures > 0 {
		timer.Reset(time.Until(l.deadline))
	}
	stream, err := l.open(ctx, l.token)
	for isEmpty := true; err == nil; isEmpty = false {
		var page *Page
		if page, err = stream.Recv(); err == io.EOF && isEmpty {
			return nil // the listing of nothing
		}
		if err != nil {
			break
		}
		timer.Stop()
		l.failures, l.before = 0, nil
		var items []Item
		items, l.token = l.read(page)
		if !yieldAll(items, yield) || l.token == "" {
			return nil
		}
	}
	switch {
	case context.Cause(ctx) == late:
		return status.Error(codes.DeadlineExceeded, late.Error())
	case err == io.EOF:
		return errIncomplete
	default:
		return err
	}
}

func yieldAll[Item any](items []Item, yield func(Item, error) bool) bool {
	for _, item := range items {
		if !yield(item, nil) {
			return false
		}
	}
	return true
}

// pause waits after a failure, as that of calls.
func (l *listing[Page, Item]) pause(ctx context.Context, failure error) error {
	if l.failures == 0 {
		l.deadline = time.Now().Add(l.options.timeout)
	}
	l.failures++
	ctx, cancel := context.WithDeadline(ctx, l.deadline)
	defer cancel()
	return pause(ctx, l.failures, failure)
}
