package stele

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestOptionsThatAreRefused(t *testing.T) {
	for want, test := range map[string]struct {
		address string
		options []Option
	}{
		"a token over plaintext": {"localhost:1", []Option{WithToken("secret"), WithPlaintext()}},
		"choose one":             {"localhost:1", []Option{WithPlaintext(), WithTLS(&tls.Config{})}},
		"must be positive":       {"localhost:1", []Option{WithTimeout(0)}},
		"it is empty":            {"localhost:1", []Option{WithToken("")}},
		"the end of a line":      {"localhost:1", []Option{WithToken("secret\n")}},
	} {
		_, err := New(test.address, test.options...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", want, err)
		}
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	for _, address := range []string{
		"", "localhost", "localhost:", ":1", "localhost:99999", "localhost:http", "::1:1",
		"http://localhost:1", "a@b:1", "a/b:1", " localhost:1", "unix:/run/stele.sock",
	} {
		if _, err := New(address); err == nil || !strings.Contains(err.Error(), "is not host:port") {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"localhost:1", "127.0.0.1:65535", "[::1]:1", "registry.example:443"} {
		client, err := New(address)
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
	}
}

func TestATokenIsAskedForEachTime(t *testing.T) {
	tokens := []string{"first", "second"}
	source := TokenFunc(func(context.Context) (string, error) {
		token := tokens[0]
		tokens = tokens[1:]
		return token, nil
	})
	for _, want := range []string{"Bearer first", "Bearer second"} {
		ctx, err := source.authorize(t.Context())
		sent, _ := metadata.FromOutgoingContext(ctx)
		if got := sent.Get("authorization"); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func TestATokenThatCannotBeHad(t *testing.T) {
	cause := errors.New("no such file")
	for name, test := range map[string]struct {
		token TokenFunc
		code  codes.Code
		cause error
	}{
		"a failure":       {func(context.Context) (string, error) { return "", cause }, codes.Unauthenticated, cause},
		"a status":        {func(context.Context) (string, error) { return "", status.Error(codes.NotFound, "") }, codes.NotFound, nil},
		"the call's end":  {func(context.Context) (string, error) { return "", context.Canceled }, codes.Canceled, nil},
		"a line too many": {func(context.Context) (string, error) { return "secret\n", nil }, codes.Unauthenticated, nil},
	} {
		client, err := New("127.0.0.1:1", WithTokenFunc(test.token))
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Get(t.Context(), "m", "1.0.0")
		general, ok := errors.AsType[*Error](err)
		if !ok || general.Code != test.code || general.Reason != "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
		if test.cause != nil && !errors.Is(err, test.cause) {
			t.Errorf("%s: %v does not lead to its cause", name, err)
		}
		client.Close()
	}
}
