package stele

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	stelev1 "stele.dev/api/stele/v1"
)

func TestTheWaitDoublesUpToItsMaximum(t *testing.T) {
	for attempt, want := range map[int]time.Duration{
		1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 3: 400 * time.Millisecond, 4: 800 * time.Millisecond,
		5: 1600 * time.Millisecond, 6: 3200 * time.Millisecond, 7: 5 * time.Second, 8: 5 * time.Second, 1000: 5 * time.Second,
	} {
		if got := backoffOf(attempt); got != want {
			t.Errorf("after attempt %d: %v, want %v", attempt, got, want)
		}
	}
}

func TestAWaitIsSpreadByAFifth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shortest, longest := time.Hour, time.Duration(0)
		for range 1000 {
			begin := time.Now()
			if err := pause(t.Context(), 4, status.Error(codes.Unavailable, "")); err != nil {
				t.Fatal(err)
			}
			shortest, longest = min(shortest, time.Since(begin)), max(longest, time.Since(begin))
		}
		if shortest < 640*time.Millisecond || shortest > 700*time.Millisecond {
			t.Errorf("the shortest wait is %v", shortest)
		}
		if longest > 960*time.Millisecond || longest < 900*time.Millisecond {
			t.Errorf("the longest wait is %v", longest)
		}
	})
}

func TestWhichFailuresAreRepeated(t *testing.T) {
	for name, test := range map[string]struct {
		failure error
		want    bool
	}{
		"unavailable":                  {failure(codes.Unavailable, "SHUTTING_DOWN", nil), true},
		"no connection":                {status.Error(codes.Unavailable, "connection refused"), true},
		"contended":                    {failure(codes.Aborted, "INCREMENT_CONTENDED", nil), true},
		"too many calls":               {failure(codes.ResourceExhausted, "TOO_MANY_CALLS", nil, retryAfter(1)), true},
		"a reset stream":               {status.Error(codes.Canceled, "stream terminated by RST_STREAM with error code: CANCEL"), true},
		"a stream without status":      {status.Error(codes.Internal, "server closed the stream without sending trailers"), true},
		"half a message":               {status.Error(codes.Internal, "unexpected EOF"), true},
		"a load balancer's 500":        {status.Error(codes.Unknown, "unexpected HTTP status code received from server: 500"), true},
		"a fault of the service":       {failure(codes.Internal, "INTERNAL", nil), false},
		"an unknown outcome":           {failure(codes.Unknown, "OUTCOME_UNKNOWN", nil), false},
		"too large":                    {failure(codes.ResourceExhausted, "REQUEST_TOO_LARGE", nil), false},
		"taken":                        {failure(codes.AlreadyExists, "VERSION_ALREADY_EXISTS", nil), false},
		"invalid":                      {failure(codes.InvalidArgument, "INVALID_REQUEST", nil), false},
		"the deadline":                 {status.Error(codes.DeadlineExceeded, "context deadline exceeded"), false},
		"text that is not UTF-8":       {status.Error(codes.Internal, "grpc: error while marshaling: invalid UTF-8"), false},
		"an unknown method":            {status.Error(codes.Unimplemented, "unknown method"), false},
		"no token":                     {&tokenError{errors.New("no file")}, false},
		"a token service that is down": {&tokenError{status.Error(codes.Unavailable, "down")}, true},
		"a token service with a fault": {&tokenError{status.Error(codes.Internal, "fault")}, false},
	} {
		if got := isRetryable(test.failure); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestAllAttemptsShareOneDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeRegistry{get: func(ctx context.Context, call int) (*stelev1.GetVersionResponse, error) {
			if call == 3 {
				<-ctx.Done()
			}
			return nil, failure(codes.Unavailable, "SHUTTING_DOWN", nil)
		}}
		client := connect(t, fake, WithTimeout(2*time.Second))
		begin := time.Now()
		_, err := client.Get(t.Context(), "m", "1.0.0")
		if !errors.Is(err, context.DeadlineExceeded) || status.Code(err) != codes.DeadlineExceeded || fake.calls() != 3 {
			t.Errorf("%v after %d calls", err, fake.calls())
		}
		message := "127.0.0.1:1: no answer within 2s; the attempt before failed: Unavailable: what happened"
		if got := status.Convert(err).Message(); got != message {
			t.Error(got)
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestTheLastFailureIsToldAtOnceWhenTheNextWaitWouldEndAfterTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeRegistry{get: func(_ context.Context, call int) (*stelev1.GetVersionResponse, error) {
			if call == 1 {
				return nil, failure(codes.ResourceExhausted, "TOO_MANY_CALLS", nil, retryAfter(3*time.Second))
			}
			return nil, failure(codes.Unavailable, "SHUTTING_DOWN", nil, retryAfter(3*time.Second))
		}}
		client := connect(t, fake, WithTimeout(5*time.Second))
		begin := time.Now()
		_, err := client.Get(t.Context(), "m", "1.0.0")
		if general, ok := errors.AsType[*Error](err); !ok || general.Reason != "SHUTTING_DOWN" || fake.calls() != 2 {
			t.Errorf("%v after %d calls", err, fake.calls())
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func silent(ctx context.Context, _ int) (*stelev1.GetVersionResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestTheDeadlineTellsHowLongWasWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, &fakeRegistry{get: silent}, WithTimeout(2*time.Second))
		_, err := client.Get(t.Context(), "m", "1.0.0")
		if err == nil || err.Error() != "stele: DeadlineExceeded: 127.0.0.1:1: no answer within 2s" {
			t.Error(err)
		}
	})
}

func TestADeadlineIsToldAlikeWhoeverNoticesIt(t *testing.T) {
	for waited, message := range map[time.Duration]string{
		1999 * time.Millisecond: "127.0.0.1:1: no answer within 2s",
		time.Second:             "127.0.0.1:1: a proxy's deadline",
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := &fakeRegistry{get: func(context.Context, int) (*stelev1.GetVersionResponse, error) {
				time.Sleep(waited)
				return nil, status.Error(codes.DeadlineExceeded, "a proxy's deadline")
			}}
			_, err := connect(t, fake, WithTimeout(2*time.Second)).Get(t.Context(), "m", "1.0.0")
			if got := status.Convert(err).Message(); got != message {
				t.Error(got)
			}
		})
	}
}

func TestAFailureOnTheWayNamesTheAddress(t *testing.T) {
	for reason, message := range map[string]string{"": "127.0.0.1:1: what happened", "SHUTTING_DOWN": "what happened"} {
		fake := &fakeRegistry{get: func(context.Context, int) (*stelev1.GetVersionResponse, error) {
			return nil, failure(codes.Unavailable, reason, nil, retryAfter(time.Hour))
		}}
		_, err := connect(t, fake).Get(t.Context(), "m", "1.0.0")
		if got := status.Convert(err); got.Message() != message || len(got.Details()) != 2 {
			t.Error(got)
		}
	}
}

func TestAnEarlierDeadlineOfTheContextCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, &fakeRegistry{get: silent})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := client.Get(ctx, "m", "1.0.0")
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if got := status.Convert(err).Message(); got != "127.0.0.1:1: no answer before the deadline" {
			t.Error(got)
		}
	})
}

func TestCancellingAndClosingEndAWait(t *testing.T) {
	for name, end := range map[string]func(*Client, context.CancelFunc){
		"cancel": func(_ *Client, cancel context.CancelFunc) { cancel() },
		"close":  func(client *Client, _ context.CancelFunc) { client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := &fakeRegistry{get: func(context.Context, int) (*stelev1.GetVersionResponse, error) {
					return nil, failure(codes.Unavailable, "SHUTTING_DOWN", nil, retryAfter(20*time.Second))
				}}
				client := connect(t, fake)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, func() { end(client, cancel) })
				begin := time.Now()
				_, err := client.Get(ctx, "m", "1.0.0")
				if took := time.Since(begin); !errors.Is(err, context.Canceled) || took != time.Second {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}

func TestACallThatIsOverIsToldSoAndNotByTheLastFailure(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errClosed)
	err := pause(ctx, 1, status.Error(codes.Unavailable, "the connection broke"))
	if status.Code(err) != codes.Canceled || status.Convert(err).Message() != "the client is closed" {
		t.Error(err)
	}
	final := failure(codes.AlreadyExists, "VERSION_ALREADY_EXISTS", nil)
	if err := pause(ctx, 1, final); err != final {
		t.Error(err)
	}
}

func TestAnAnswerWithoutARecordIsAFailure(t *testing.T) {
	fake := &fakeRegistry{get: func(context.Context, int) (*stelev1.GetVersionResponse, error) {
		return &stelev1.GetVersionResponse{}, nil
	}}
	version, err := connect(t, fake).Get(t.Context(), "m", "1.0.0")
	if general, ok := errors.AsType[*Error](err); !ok || general.Code != codes.Internal || version != nil {
		t.Errorf("%v, %v", version, err)
	}
}

func TestARegistrationIsRepeatedWithOneRequestID(t *testing.T) {
	fake := &fakeRegistry{register: func(call int, _ *stelev1.RegisterVersionRequest) error {
		if call == 1 {
			return status.Error(codes.Unavailable, "the answer was lost")
		}
		return nil
	}}
	client := connect(t, fake)
	request := &stelev1.RegisterVersionRequest{Model: "m"}
	if _, err := client.Register(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	first, second := fake.registrations[0].GetRequestId(), fake.registrations[1].GetRequestId()
	if first == "" || first != second || request.GetRequestId() != "" {
		t.Errorf("sent %q and %q, and left %q in the request", first, second, request.GetRequestId())
	}
}
