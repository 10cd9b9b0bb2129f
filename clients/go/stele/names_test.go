package stele

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/grpc/resolver"
)

func TestANameIsAnAddressWhileItsLookupsFindNothing(t *testing.T) {
	told := &toldConn{}
	connection := &namedConn{ClientConn: told, name: "name:1"}
	connection.ReportError(errors.New("no answer"))
	connection.UpdateState(state("10.0.0.1:1", "10.0.0.2:1"))
	connection.UpdateState(state())
	connection.ReportError(errors.New("no answer"))
	connection.UpdateState(state("10.0.0.3:1"))
	want := []resolver.State{
		state("name:1"),
		state("10.0.0.1:1", "10.0.0.2:1"),
		state("10.0.0.1:1", "10.0.0.2:1", "name:1"),
		state("10.0.0.1:1", "10.0.0.2:1", "name:1"),
		state("10.0.0.3:1"),
	}
	if !reflect.DeepEqual(told.states, want) {
		t.Errorf("%v", told.states)
	}
}

// toldConn keeps what it is told.
type toldConn struct {
	resolver.ClientConn
	states []resolver.State
}

func (c *toldConn) UpdateState(state resolver.State) error {
	c.states = append(c.states, state)
	return nil
}

func state(addresses ...string) resolver.State {
	var endpoints []resolver.Endpoint
	for _, address := range addresses {
		endpoints = append(endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address}}})
	}
	return resolver.State{Endpoints: endpoints}
}
