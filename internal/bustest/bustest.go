// Package bustest is the suite that every adapter of package bus passes. It
// runs against a real broker, which it kills and starts again.
//
// An adapter describes its broker and calls Run:
//
//	func TestSuite(t *testing.T) { bustest.Run(t, newBroker(t)) }
//
// The broker should be a process of its own: each case also proves that it
// left no goroutine behind, and a broker inside the test has goroutines that
// come and go.
package bustest

import (
	"context"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"go.uber.org/goleak"
)

// Broker is a real broker that the suite may use and break. Its methods end
// the test where they fail.
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
	// Start brings a stopped broker back under the same address, without
	// memory of what it knew. It returns when the broker takes connections.
	Start(t testing.TB)
	// Send puts a body on the way to the server of that name as it is, with no
	// help from a Conn. It returns when the broker has it.
	Send(t testing.TB, server string, body []byte)
	// Ask is Send for a body that hopes for an answer. It calls body with the
	// place where it waits, and returns the first answer's bytes.
	Ask(t testing.TB, server string, body func(replyTo string) []byte) []byte
}

// testCase is one promise of package bus.
type testCase struct {
	name string
	run  func(*testing.T, Broker)
}

// Run holds the broker's Conn against every promise of package bus.
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

// within returns a context that ends long after everything should be done.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
