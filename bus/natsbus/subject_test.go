package natsbus

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"
)

// texts are those that are hardest on an encoding, and any others.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.StringOfN(rapid.RuneFrom([]rune(".*>#%$@ \t\r\n\x00aA2E~")), 0, 12, -1),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"", "%", "$", "%2E", ".", "..", "*", ">", "#", "webrtc-1@10.0.0.1_1"}),
	)
}

func token(text string) string { return string(appendToken(nil, text)) }

// TestTokenIsReversible: so no two texts have the same token.
func TestTokenIsReversible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		got, err := decodeToken(token(text))
		if err != nil || got != text {
			t.Fatalf("%q became %q, which became %q: %v", text, token(text), got, err)
		}
	})
}

func TestTokenIsSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tok := token(texts().Draw(t, "text"))
		if tok == "" || tok == endToken || strings.ContainsAny(tok, ".*>$ ") {
			t.Fatalf("token %q", tok)
		}
		for i := range len(tok) {
			if tok[i] <= ' ' || tok[i] >= 0x7f {
				t.Fatalf("token %q", tok)
			}
		}
	})
}

func TestDecodeTokenRefuses(t *testing.T) {
	for _, tok := range []string{"a%", "a%2", "%%", "%2e", "%ZZ", "%2"} {
		if text, err := decodeToken(tok); err == nil {
			t.Errorf("%q became %q", tok, text)
		}
	}
}

func TestSubjects(t *testing.T) {
	for want, subject := range map[string]func() (string, error){
		"muster.rpc.webrtc-1@10%2E0%2E0%2E1":        func() (string, error) { return rpcSubject("webrtc-1@10.0.0.1") },
		"muster.rpc.%":                              func() (string, error) { return rpcSubject("") },
		"muster.topic.owtMonitoring.exit.quit.$":    func() (string, error) { return noticeSubject("owtMonitoring", "exit.quit") },
		"muster.topic.owt-cluster%2Emanagement.$":   func() (string, error) { return noticeSubject("owt-cluster.management", "") },
		"muster.topic.t.%.%.$":                      func() (string, error) { return noticeSubject("t", ".") },
		"muster.topic.t.exit.*.$":                   func() (string, error) { return patternSubject("t", "exit.*") },
		"muster.topic.t.exit.>":                     func() (string, error) { return patternSubject("t", "exit.#") },
		"muster.topic.t.>":                          func() (string, error) { return patternSubject("t", "#") },
		"muster.topic.t.$":                          func() (string, error) { return patternSubject("t", "") },
		"muster.topic.t.a%2Ab.%3E.%24.x#.$":         func() (string, error) { return patternSubject("t", "a*b.>.$.x#") },
		"muster.topic.T%2A.clusterManager.master.$": func() (string, error) { return noticeSubject("T*", "clusterManager.master") },
	} {
		if got, err := subject(); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

func TestKeyIsReversible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topic := texts().Draw(t, "topic")
		key := strings.Join(rapid.SliceOfN(texts(), 0, 4).Draw(t, "words"), ".")
		subject, err := noticeSubject(topic, key)
		if err != nil {
			t.Skip(err)
		}
		got, err := keyOf(subject, topicLength(topic))
		if err != nil || got != key {
			t.Fatalf("key %q on %q became %q, which became %q: %v", key, topic, subject, got, err)
		}
	})
}

// TestPatternsFit holds NATS's idea of which subjects fit against that of a
// topic exchange.
func TestPatternsFit(t *testing.T) {
	words := rapid.SampledFrom([]string{"", "a", "b", "*", "#", ">", "a.b"})
	rapid.Check(t, func(t *rapid.T) {
		key := strings.Join(rapid.SliceOfN(words, 0, 4).Draw(t, "key"), ".")
		pattern := strings.Join(rapid.SliceOfN(words, 0, 4).Draw(t, "pattern"), ".")
		subject, _ := noticeSubject("t", key)
		filter, err := patternSubject("t", pattern)
		if err != nil {
			if !strings.Contains(pattern, "#.") {
				t.Fatalf("pattern %q: %v", pattern, err)
			}
			return
		}
		want := fits(split(key), split(pattern))
		if got := natsFits(strings.Split(subject, "."), strings.Split(filter, ".")); got != want {
			t.Fatalf("key %q, pattern %q: %v, want %v", key, pattern, got, want)
		}
	})
}

func split(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

// fits is the rule of AMQP, with # only as the last word.
func fits(key, pattern []string) bool {
	if len(pattern) == 0 {
		return len(key) == 0
	}
	if pattern[0] == "#" {
		return true
	}
	return len(key) > 0 && (pattern[0] == "*" || pattern[0] == key[0]) && fits(key[1:], pattern[1:])
}

// natsFits is the rule of NATS.
func natsFits(subject, filter []string) bool {
	if len(filter) == 0 || len(subject) == 0 {
		return len(filter) == len(subject)
	}
	if filter[0] == ">" {
		return true
	}
	return (filter[0] == "*" || filter[0] == subject[0]) && natsFits(subject[1:], filter[1:])
}

func TestTooLong(t *testing.T) {
	b := newBroker(t)
	c := dialT(t, b.options())
	defer c.Close()
	long := strings.Repeat("é", 400)
	ctx := within(t)
	_, callErr := c.Call(ctx, long, "x")
	_, serveErr := c.Serve(ctx, long, nil)
	_, subErr := c.Subscribe(ctx, long, "#", nil)
	for what, err := range map[string]error{
		"Call": callErr, "Serve": serveErr, "Subscribe": subErr, "Cast": c.Cast(ctx, long, "x"), "Publish": c.Publish(ctx, "t", long, 1),
	} {
		if err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if c.nc.Load().Status() != nats.CONNECTED {
		t.Error("the connection was lost")
	}
}
