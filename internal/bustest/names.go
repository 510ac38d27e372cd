package bustest

import (
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var nameCases = []testCase{
	{"NamesDoNotCollide", namesDoNotCollide},
	{"NameOfAWorker", nameOfAWorker},
	{"LineBreakInName", lineBreakInName},
}

// odd are names that differ only in characters that may be special to a broker.
var odd = []string{
	"a.b", "a..b", ".a.b", "a.b.", "a b", "a*b", "a>b", "a#b", "a%b", "a%2Eb", "a%2eb", "a/b", "a\\b", "a_b", "a=2Eb",
	"a@b", "a$b", "ab", "Ab", "AB", "ä", "a\u0308", "日本", "a\tb", "*", ">", "#", "%", "$", "_", ".", " ",
}

func namesDoNotCollide(t *testing.T, b Broker) {
	owner, c := dial(t, b), dial(t, b)
	prefix := named(t, "")
	for _, name := range odd {
		serve(t, owner, prefix+name, func(r *bus.Request) { r.Reply(name) })
		serve(t, owner, name+prefix, func(r *bus.Request) { r.Reply(name + "!") })
	}
	for _, name := range odd {
		wantJSON(t, mustCall(t, c, prefix+name, "who"), name)
		wantJSON(t, mustCall(t, c, name+prefix, "who"), name+"!")
	}
}

func nameOfAWorker(t *testing.T, b Broker) {
	server := "webrtc-0123456789abcdef0123@10.0.0.1_1"
	c := echoConn(t, b, server)
	wantJSON(t, mustCall(t, c, server, "echo", server), server)
}

// lineBreakInName: RabbitMQ removes line breaks from names. An adapter may refuse
// such names, but must not confuse two names.
func lineBreakInName(t *testing.T, b Broker) {
	owner, c := dial(t, b), dial(t, b)
	plain := named(t, "ab")
	serve(t, owner, plain, func(r *bus.Request) { r.Reply("plain") })
	for _, lineBreak := range []string{"\n", "\r"} {
		broken := named(t, "a"+lineBreak+"b")
		if _, err := owner.Serve(within(t), broken, func(r *bus.Request) { r.Reply("broken") }); err != nil {
			if _, err := c.Call(briefly(t), broken, "who"); err == nil {
				t.Errorf("%q cannot be served, but called", broken)
			}
		} else {
			wantJSON(t, mustCall(t, c, broken, "who"), "broken")
		}
		wantJSON(t, mustCall(t, c, plain, "who"), "plain")
	}
}
