// Package bustest is the test suite of package bus, which every adapter must pass.
// It runs against a real broker, which it kills and restarts.
//
// An adapter describes its broker and calls Run:
//
//	func TestSuite(t *testing.T) { bustest.Run(t, newBroker(t)) }
//
// The broker should be a separate process: each case also checks that it leaks no
// goroutines, and a broker inside the test starts and ends goroutines of its own.
package bustest

import (
	"context"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"go.uber.org/goleak"
)

// Broker is a real broker that the suite may use and break. Its methods fail the
// test if they do not succeed.
type Broker interface {
	// Dial returns a new connection, which the suite closes.
	Dial(t testing.TB) bus.Conn
	// Addr is the broker's TCP address; DialAt is Dial for a Wire to it.
	Addr() string
	DialAt(t testing.TB, addr string) bus.Conn
	// Holds reports whether the broker holds a request until it is acknowledged:
	// see bus.GroupMember.
	Holds() bool
	// Stop ends the broker at once. Its connections break.
	Stop(t testing.TB)
	// Start restarts a stopped broker under the same address, without its former
	// state. It returns when the broker accepts connections.
	Start(t testing.TB)
	// Send sends a body unchanged to the server of that name, without a Conn. It
	// returns when the broker has it.
	Send(t testing.TB, server string, body []byte)
	// Ask is Send for a body that is answered. It calls body with the address of
	// the reply, and returns the bytes of the first answer.
	Ask(t testing.TB, server string, body func(replyTo string) []byte) []byte
}

// testCase tests one promise of package bus.
type testCase struct {
	name string
	run  func(*testing.T, Broker)
}

// Run tests the broker's Conn against every promise of package bus.
func Run(t *testing.T, b Broker) {
	groups := [][]testCase{
		callCases, refusalCases, deadlineCases, nameCases, orderCases,
		malformedCases, topicCases, slowCases, serverCases, watchCases,
		closeCases, loadCases, groupCases, restartCases,
	}
	if b.Holds() {
		groups = append(groups, holdCases)
	}
	for _, group := range groups {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				before := goleak.IgnoreCurrent()
				t.Cleanup(func() { goleak.VerifyNone(t, before) })
				c.run(t, b)
			})
		}
	}
}

// within returns a context that times out long after everything should be done.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
