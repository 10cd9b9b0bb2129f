package stele

import (
	"slices"

	"google.golang.org/grpc/resolver"
)

// names is gRPC's resolver of names, but while a lookup finds nothing it gives the name itself as one more address: each
// try to connect then looks it up, and tells why that fails. By itself gRPC looks again later and later, up to two
// minutes, and tells only that it has no addresses.
type names struct{ resolver.Builder }

func (n names) Build(
	target resolver.Target, connection resolver.ClientConn, options resolver.BuildOptions,
) (resolver.Resolver, error) {
	return n.Builder.Build(target, &namedConn{ClientConn: connection, name: target.Endpoint()}, options)
}

// namedConn is told what the lookups find.
type namedConn struct {
	resolver.ClientConn
	name string
	// found is that of the last lookup that found something.
	found []resolver.Endpoint
}

func (n *namedConn) UpdateState(state resolver.State) error {
	if len(state.Endpoints) == 0 {
		return n.addName()
	}
	n.found = state.Endpoints
	return n.ClientConn.UpdateState(state)
}

func (n *namedConn) ReportError(error) { n.addName() }

func (n *namedConn) addName() error {
	name := resolver.Endpoint{Addresses: []resolver.Address{{Addr: n.name}}}
	return n.ClientConn.UpdateState(resolver.State{Endpoints: append(slices.Clip(n.found), name)})
}
