package bustest

import (
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var nameCases = []testCase{
	{"NamesDoNotCollide", namesDoNotCollide},
	{"NameOfAWorker", nameOfAWorker},
}

// odd are names that differ only in what a broker may find special.
var odd = []string{
	"a.b", "a..b", ".a.b", "a.b.", "a b", "a*b", "a>b", "a#b", "a%b", "a%2Eb", "a%2eb", "a/b", "a\\b", "a_b", "a=2Eb",
	"a@b", "a$b", "ab", "Ab", "AB", "ä", "a\u0308", "日本", "a\tb", "a\nb", "*", ">", "#", "%", "$", "_", ".", " ",
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
