package stele

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
)

const defaultTimeout = 30 * time.Second

// Option is an option of [New].
type Option func(*options)

type options struct {
	timeout   time.Duration
	plaintext bool
	tls       *tls.Config
	token     TokenFunc
	// tokenFault is what makes the token of WithToken none.
	tokenFault error
	dial       []grpc.DialOption
}

// WithTimeout sets how long a call may take, all attempts together; 30 s unless given. A context whose deadline is
// earlier shortens a call. For listings see [Client.ListVersions].
func WithTimeout(timeout time.Duration) Option {
	return func(o *options) { o.timeout = timeout }
}

// WithPlaintext connects without TLS: for a registry on the same machine, or behind a proxy that does TLS.
func WithPlaintext() Option {
	return func(o *options) { o.plaintext = true }
}

// WithTLS sets authorities of your own (RootCAs), a client certificate (Certificates), and whatever else TLS can do.
func WithTLS(config *tls.Config) Option {
	return func(o *options) { o.tls = config }
}

// WithDialOptions adds options of gRPC, such as a stats handler for tracing. They are applied after the client's own.
func WithDialOptions(dial ...grpc.DialOption) Option {
	return func(o *options) { o.dial = append(o.dial, dial...) }
}

// late is the end of the timeout.
func (o options) late() error {
	return fmt.Errorf("no answer within %v", o.timeout)
}

func newOptions(opts []Option) (options, error) {
	o := options{timeout: defaultTimeout}
	for _, apply := range opts {
		apply(&o)
	}
	switch {
	case o.timeout <= 0:
		return o, fmt.Errorf("stele: the timeout is %v; it must be positive", o.timeout)
	case o.plaintext && o.tls != nil:
		return o, errors.New("stele: TLS is configured, and plaintext asked for; choose one")
	case o.plaintext && o.token != nil:
		return o, errors.New("stele: a token over plaintext could be read on the way; connect with TLS")
	case o.tokenFault != nil:
		return o, fmt.Errorf("stele: the token: %w", o.tokenFault)
	}
	return o, nil
}

func dial(address string, o options) (*grpc.ClientConn, error) {
	host, port, err := net.SplitHostPort(address)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || !isHost(host) {
		return nil, fmt.Errorf("stele: the address %q is not host:port", address)
	}
	transport := credentials.NewTLS(o.tls)
	if o.plaintext {
		transport = insecure.NewCredentials()
	}
	own := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithResolvers(names{resolver.Get("dns")}),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		// The retries are those of pause, and no others.
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		// With its jitter the longest delay is 4.8 s.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstWait, Multiplier: 2, Jitter: 0.2, MaxDelay: 4 * time.Second},
			MinConnectTimeout: 10 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	}
	if o.token != nil {
		own = append(own, grpc.WithChainUnaryInterceptor(o.token.unary), grpc.WithChainStreamInterceptor(o.token.stream))
	}
	return grpc.NewClient("dns:///"+address, append(own, o.dial...)...)
}

// isHost tells what cannot be a name or a number of a host; the rest is for the lookup to tell.
func isHost(host string) bool {
	return host != "" && !strings.ContainsAny(host, "/?#@ \t\r\n")
}
