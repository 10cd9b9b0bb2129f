package stele

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	stelev1 "stele.dev/api/stele/v1"
)

type versionStream = grpc.ServerStreamingServer[stelev1.ListVersionsResponse]

var errBroken = status.Error(codes.Unavailable, "the connection broke")

func TestAListingThatBreaksGoesOnAfterItsLastMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeRegistry{list: func(call int, stream versionStream) error {
			switch call {
			case 2:
				send(stream, "a", "5", "4")
				return errBroken
			case 3:
				send(stream, "b") // progress
				time.Sleep(time.Minute)
				send(stream, "c", "3")
				return nil // without an empty token
			case 4:
				send(stream, "", "2", "1")
			}
			return errBroken
		}}
		client := connect(t, fake)
		request := &stelev1.ListVersionsRequest{Model: "m", Range: "*", Limit: 9, PageSize: 2, PageToken: "begin"}
		before := proto.CloneOf(request)
		begin := time.Now()
		versions, err := collect(client.ListVersions(t.Context(), request))
		if want := []string{"5", "4", "3", "2", "1"}; err != nil || !reflect.DeepEqual(versions, want) {
			t.Errorf("%v, %v", versions, err)
		}
		for call, token := range []string{"begin", "begin", "a", "c"} {
			sent := proto.CloneOf(request)
			sent.PageToken = token
			if !proto.Equal(fake.listings[call], sent) {
				t.Errorf("call %d sent %v", call+1, fake.listings[call])
			}
		}
		if !proto.Equal(request, before) || len(fake.listings) != 4 {
			t.Errorf("%d calls, and the request is %v", len(fake.listings), request)
		}
		// The waits began again from 0.1 s after each message, and the timeout of 30 s did not bound the stream that went on.
		if took := time.Since(begin) - time.Minute; took > 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestWhatTheCallerDoesToTheRequestDoesNotChangeItsListing(t *testing.T) {
	fake := &fakeRegistry{list: func(call int, stream versionStream) error {
		if call == 1 {
			send(stream, "a", "2")
			return errBroken
		}
		send(stream, "", "1")
		return nil
	}}
	request := &stelev1.ListVersionsRequest{Model: "m", Range: "^1"}
	versions := connect(t, fake).ListVersions(t.Context(), request)
	request.Range = "^2"
	if _, err := collect(versions); err != nil {
		t.Fatal(err)
	}
	for call, sent := range fake.listings {
		if sent.GetRange() != "^1" {
			t.Errorf("call %d sent %v", call+1, sent)
		}
	}
}

func TestTheListingOfNothingIsEmpty(t *testing.T) {
	fake := &fakeRegistry{list: func(int, versionStream) error { return nil }}
	versions, err := collect(connect(t, fake).ListVersions(t.Context(), &stelev1.ListVersionsRequest{Model: "m"}))
	if err != nil || versions != nil || fake.calls() != 1 {
		t.Errorf("%v, %v after %d calls", versions, err, fake.calls())
	}
}

func TestAVersionIsDeliveredBeforeTheNextPageIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left atomic.Bool
		fake := &fakeRegistry{list: func(_ int, stream versionStream) error {
			send(stream, "a", "1")
			<-stream.Context().Done()
			left.Store(true)
			return nil
		}}
		client := connect(t, fake)
		for version, err := range client.ListVersions(t.Context(), &stelev1.ListVersionsRequest{Model: "m"}) {
			if err != nil || version.GetVersion() != "1" {
				t.Errorf("%v, %v", version, err)
			}
			break
		}
		synctest.Wait()
		if !left.Load() {
			t.Error("the stream of a listing that was left is still open")
		}
	})
}

func TestAFailureComesAfterWhatCameBeforeIt(t *testing.T) {
	fake := &fakeRegistry{list: func(_ int, stream versionStream) error {
		send(stream, "a", "2", "1")
		return failure(codes.Internal, "INTERNAL", map[string]string{"id": "7"})
	}}
	versions, err := collect(connect(t, fake).ListVersions(t.Context(), &stelev1.ListVersionsRequest{Model: "m"}))
	general, _ := errors.AsType[*Error](err)
	if general == nil || general.Reason != "INTERNAL" || len(versions) != 2 || fake.calls() != 1 {
		t.Errorf("%v, %v after %d calls", versions, err, fake.calls())
	}
}

func TestTheTimeoutBoundsAListingOnlyAfterAFailure(t *testing.T) {
	hang := func(stream versionStream) error {
		<-stream.Context().Done()
		return nil
	}
	for name, test := range map[string]struct {
		second func(versionStream) error
		want   string
		took   time.Duration
	}{
		"a stream that brings nothing": {
			hang,
			"DeadlineExceeded: 127.0.0.1:1: no answer within 5s; the attempt before failed: Unavailable: what happened",
			time.Minute + 5*time.Second,
		},
		"failures again and again": {
			func(versionStream) error {
				return failure(codes.Unavailable, "SHUTTING_DOWN", nil, retryAfter(2*time.Second))
			},
			"SHUTTING_DOWN: what happened", time.Minute + 4*time.Second,
		},
		"a delay that is too long": {
			func(versionStream) error {
				return failure(codes.Unavailable, "SHUTTING_DOWN", nil, retryAfter(time.Hour))
			},
			"SHUTTING_DOWN: what happened", time.Minute + 2*time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := &fakeRegistry{list: func(call int, stream versionStream) error {
					if call > 1 {
						return test.second(stream)
					}
					time.Sleep(time.Minute)
					return failure(codes.Unavailable, "SHUTTING_DOWN", nil, retryAfter(2*time.Second))
				}}
				client := connect(t, fake, WithTimeout(5*time.Second))
				begin := time.Now()
				_, err := collect(client.ListVersions(t.Context(), &stelev1.ListVersionsRequest{Model: "m"}))
				if took := time.Since(begin); err == nil || err.Error() != "stele: "+test.want || took != test.took {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}

func TestAFailureIsForgottenOnceAListingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeRegistry{list: func(call int, stream versionStream) error {
			if call == 1 {
				return errBroken
			}
			send(stream, "a", "1")
			<-stream.Context().Done()
			return nil
		}}
		client := connect(t, fake)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		versions, err := collect(client.ListVersions(ctx, &stelev1.ListVersionsRequest{Model: "m"}))
		if len(versions) != 1 || status.Convert(err).Message() != "127.0.0.1:1: no answer before the deadline" {
			t.Errorf("%v, %v", versions, err)
		}
	})
}

func TestCancellingAListingEndsIt(t *testing.T) {
	fake := &fakeRegistry{list: func(_ int, stream versionStream) error {
		send(stream, "a", "1")
		<-stream.Context().Done()
		return nil
	}}
	client := connect(t, fake)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for version, err := range client.ListVersions(ctx, &stelev1.ListVersionsRequest{Model: "m"}) {
		cancel()
		if last = err; err == nil && version == nil {
			t.Error("neither a version nor an error")
		}
	}
	if !errors.Is(last, context.Canceled) || fake.calls() != 1 {
		t.Errorf("%v after %d calls", last, fake.calls())
	}
}

func send(stream versionStream, token string, versions ...string) {
	page := &stelev1.ListVersionsResponse{NextPageToken: token}
	for _, version := range versions {
		record := &stelev1.ModelVersion{Model: "m", Version: version}
		page.Versions = append(page.Versions, &stelev1.ListedVersion{ModelVersion: record})
	}
	if err := stream.Send(page); err != nil {
		panic(fmt.Sprint("the client is gone: ", err))
	}
}

func collect(versions func(func(*stelev1.ModelVersion, error) bool)) ([]string, error) {
	var collected []string
	for version, err := range versions {
		if err != nil {
			return collected, err
		}
		collected = append(collected, version.GetVersion())
	}
	return collected, nil
}
