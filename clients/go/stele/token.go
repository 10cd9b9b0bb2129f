package stele

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TokenFunc returns the bearer token for a call. Its context is that of the call. It may be asked by several goroutines
// at once.
type TokenFunc func(ctx context.Context) (string, error)

// WithToken sends a bearer token with every call. It needs TLS.
func WithToken(token string) Option {
	return func(o *options) {
		o.token = func(context.Context) (string, error) { return token, nil }
		o.tokenFault = checkToken(token)
	}
}

// WithTokenFunc asks for the bearer token before each attempt of a call, so that it can rotate. It needs TLS.
//
// When the function fails, the call fails with UNAUTHENTICATED, or with the code of the error where that is a gRPC
// status; [errors.Is] and [errors.As] find the error itself.
func WithTokenFunc(token TokenFunc) Option {
	return func(o *options) { o.token, o.tokenFault = token, nil }
}

func (t TokenFunc) unary(
	ctx context.Context, method string, request, response any,
	connection *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	ctx, err := t.authorize(ctx)
	if err != nil {
		return err
	}
	return invoke(ctx, method, request, response, connection, opts...)
}

func (t TokenFunc) stream(
	ctx context.Context, description *grpc.StreamDesc,
	connection *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx, err := t.authorize(ctx)
	if err != nil {
		return nil, err
	}
	return open(ctx, description, connection, method, opts...)
}

func (t TokenFunc) authorize(ctx context.Context) (context.Context, error) {
	token, err := t(ctx)
	if err == nil {
		err = checkToken(token)
	}
	if err != nil {
		return nil, &tokenError{err}
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), nil
}

func checkToken(token string) error {
	if token == "" {
		return errors.New("it is empty")
	}
	for _, char := range []byte(token) {
		if char <= ' ' || char > '~' {
			return errors.New("it has white space, such as the end of a line, or a character that is not ASCII")
		}
	}
	return nil
}

// tokenError tells that there was no token to send.
type tokenError struct{ cause error }

func (e *tokenError) Error() string { return fmt.Sprintf("the token: %v", e.cause) }

func (e *tokenError) Unwrap() error { return e.cause }

func (e *tokenError) GRPCStatus() *status.Status {
	code := status.Code(e.cause)
	if code == codes.Unknown {
		code = status.FromContextError(e.cause).Code()
	}
	if code == codes.Unknown {
		code = codes.Unauthenticated
	}
	return status.New(code, e.Error())
}
