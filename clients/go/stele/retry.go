package stele

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	firstWait = 100 * time.Millisecond
	maxWait   = 5 * time.Second
	jitter    = 0.2
	clockSkew = 50 * time.Millisecond
)

// pause waits after the failure of an attempt, the first being 1. It returns nil when the next attempt may begin, and
// otherwise, at once, the error that the caller gets.
func pause(ctx context.Context, attempt int, failure error) error {
	if !isRetryable(failure) {
		return failure
	}
	if ctx.Err() == context.Canceled {
		return ended(ctx)
	}
	spread := 1 + jitter*(2*rand.Float64()-1)
	wait := max(time.Duration(float64(backoffOf(attempt))*spread), retryDelay(failure))
	if deadline, ok := ctx.Deadline(); ok && wait >= time.Until(deadline) {
		return failure
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// ended is the error of a context that is over.
func ended(ctx context.Context) error {
	return status.Error(status.FromContextError(ctx.Err()).Code(), context.Cause(ctx).Error())
}

// late puts the message of a deadline into the words of the context, where the deadline is the one of the context.
func late(ctx context.Context, message string) string {
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > clockSkew {
		return message
	}
	<-ctx.Done() // The service may have been a little faster.
	words := "no answer before the deadline"
	if cause := context.Cause(ctx); cause != context.DeadlineExceeded {
		words = cause.Error()
	}
	if before, after, found := strings.Cut(message, context.DeadlineExceeded.Error()); found {
		return before + words + after
	}
	return words
}

// backoffOf returns the wait after an attempt, without its jitter.
func backoffOf(attempt int) time.Duration {
	const doublings = 6 // are more than it takes to maxWait
	return min(firstWait<<min(attempt-1, doublings), maxWait)
}

// isRetryable tells whether another attempt can succeed where this one failed.
func isRetryable(failure error) bool {
	if retryInfoOf(failure) != nil {
		return true
	}
	switch status.Code(failure) {
	case codes.Unavailable, codes.Aborted:
		return true
	case codes.Internal, codes.Unknown, codes.Canceled, codes.ResourceExhausted:
		return isBroken(failure)
	default:
		return false
	}
}

// isBroken tells whether a failure with a code that grpc-go gives streams which end before their status (a reset by its
// error code, the end of the input, the answer of a load balancer) is of that kind. Those of the service have an
// ErrorInfo; those of grpc-go itself about messages begin with its name.
func isBroken(failure error) bool {
	var token *tokenError
	if errors.As(failure, &token) || errorInfoOf(failure) != nil {
		return false
	}
	return !strings.HasPrefix(status.Convert(failure).Message(), "grpc: ")
}

// retryDelay returns how long the service asks to wait; 0 when it does not.
func retryDelay(failure error) time.Duration {
	return retryInfoOf(failure).GetRetryDelay().AsDuration()
}

func retryInfoOf(failure error) *errdetails.RetryInfo {
	return detailOf[*errdetails.RetryInfo](failure)
}
