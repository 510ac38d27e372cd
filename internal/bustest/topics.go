package bustest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var topicCases = []testCase{
	{"Patterns", patterns},
	{"PatternRefused", patternRefused},
	{"TopicsDoNotCollide", topicsDoNotCollide},
	{"EverySubscriberHears", everySubscriber},
	{"OrderOfNotices", orderOfNotices},
	{"ExitNotice", exitNotice},
	{"SubscriptionClose", subscriptionClose},
}

// heard collects the keys that reach one listener, until the body "end".
type heard struct {
	keys []string
	done chan struct{}
}

func listen(t testing.TB, c bus.Conn, topic, pattern string) *heard {
	h := &heard{done: make(chan struct{})}
	subscribe(t, c, topic, pattern, func(key string, body json.RawMessage) {
		if string(body) == `"end"` {
			close(h.done)
			return
		}
		h.keys = append(h.keys, key)
	})
	return h
}

// fitting returns a key that matches the pattern.
func fitting(pattern string) string {
	words := strings.Split(pattern, ".")
	for i, w := range words {
		if w == "*" || w == "#" {
			words[i] = "some"
		}
	}
	return strings.Join(words, ".")
}

var patternKeys = []string{
	"exit", "exit.quit", "exit.abnormal", "exit.quit.now", "exit..now", "join.quit", "exit*quit", "exit.*", "exit.#",
	"a b.c>d", "ünï.cödé", "exit.quit.",
}

var patternWants = []struct {
	pattern string
	want    []string
}{
	{"#", patternKeys},
	{"exit.#", []string{"exit", "exit.quit", "exit.abnormal", "exit.quit.now", "exit..now", "exit.*", "exit.#", "exit.quit."}},
	{"exit.*", []string{"exit.quit", "exit.abnormal", "exit.*", "exit.#"}},
	{"exit.*.#", []string{"exit.quit", "exit.abnormal", "exit.quit.now", "exit..now", "exit.*", "exit.#", "exit.quit."}},
	{"*.quit", []string{"exit.quit", "join.quit"}},
	{"exit.*.now", []string{"exit.quit.now", "exit..now"}},
	{"exit.quit", []string{"exit.quit"}},
	{"*", []string{"exit", "exit*quit"}},
	{"*.*.*", []string{"exit.quit.now", "exit..now", "exit.quit."}},
	{"a b.*", []string{"a b.c>d"}},
	{"ünï.#", []string{"ünï.cödé"}},
	{"exit*quit", []string{"exit*quit"}},
	{"quit", nil},
}

func patterns(t *testing.T, b Broker) {
	conn, publisher, topic := dial(t, b), dial(t, b), named(t, "t")
	var all []*heard
	for _, p := range patternWants {
		all = append(all, listen(t, conn, topic+p.pattern, p.pattern))
	}
	for i, p := range patternWants {
		for _, key := range patternKeys {
			mustPublish(t, publisher, topic+p.pattern, key, i)
		}
		mustPublish(t, publisher, topic+p.pattern, fitting(p.pattern), "end")
		take(t, all[i].done, "the last notice of "+p.pattern)
		if !slices.Equal(all[i].keys, p.want) {
			t.Errorf("%s heard %q, want %q", p.pattern, all[i].keys, p.want)
		}
	}
}

func patternRefused(t *testing.T, b Broker) {
	c := dial(t, b)
	for _, pattern := range []string{"#.quit", "a.#.b", "#.#"} {
		_, err := c.Subscribe(within(t), named(t, "t"), pattern, func(string, json.RawMessage) {})
		if err == nil {
			t.Errorf("the pattern %q was accepted", pattern)
		}
	}
}

func topicsDoNotCollide(t *testing.T, b Broker) {
	conn, publisher, prefix := dial(t, b), dial(t, b), named(t, "t")
	topics := []string{"a.b", "a", "a.", "a*", "a>", "a#", "a b", "ä", "A", "a.*", "a.>", "a.#", "%61"}
	var all []*heard
	for _, topic := range topics {
		all = append(all, listen(t, conn, prefix+topic, "#"))
	}
	for _, topic := range topics {
		mustPublish(t, publisher, prefix+topic, topic+".key", 1)
	}
	for i, topic := range topics {
		mustPublish(t, publisher, prefix+topic, "k", "end")
		take(t, all[i].done, "the last notice of "+topic)
		if want := []string{topic + ".key"}; !slices.Equal(all[i].keys, want) {
			t.Errorf("topic %q heard %q", topic, all[i].keys)
		}
	}
}

func everySubscriber(t *testing.T, b Broker) {
	const n = 100
	one, two, topic := dial(t, b), dial(t, b), named(t, "t")
	all := []*heard{
		listen(t, one, topic, "#"), listen(t, one, topic, "#"), listen(t, one, topic, "k.*"),
		listen(t, two, topic, "#"), listen(t, two, topic, "k.#"),
	}
	for i := range n {
		mustPublish(t, one, topic, fmt.Sprint("k.", i), i)
	}
	mustPublish(t, one, topic, "k.end", "end")
	for i, h := range all {
		take(t, h.done, "the last notice")
		if len(h.keys) != n {
			t.Errorf("subscriber %d heard %d of %d", i, len(h.keys), n)
		}
	}
}

func orderOfNotices(t *testing.T, b Broker) {
	const n = 2000
	publisher, topic := dial(t, b), named(t, "t")
	h := listen(t, dial(t, b), topic, "k.#")
	for i := range n {
		mustPublish(t, publisher, topic, fmt.Sprint("k.", i), i)
	}
	mustPublish(t, publisher, topic, "k", "end")
	take(t, h.done, "the last notice")
	for i, key := range h.keys {
		if key != fmt.Sprint("k.", i) {
			t.Fatalf("notice %d arrived as number %d", i, len(h.keys))
		}
	}
	if len(h.keys) != n {
		t.Errorf("%d of %d arrived", len(h.keys), n)
	}
}

func exitNotice(t *testing.T, b Broker) {
	got := make(chan string, 1)
	subscribe(t, dial(t, b), bus.TopicMonitoring, "exit.#", func(key string, body json.RawMessage) {
		got <- key + " " + string(body)
	})
	err := bus.PublishExit(within(t), dial(t, b), bus.Exit{
		Reason: "quit", Message: bus.ExitMessage{Purpose: "video", ID: "video-1@host", Type: "worker"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `exit.quit {"reason":"quit","message":{"purpose":"video","id":"video-1@host","type":"worker"}}`
	if notice := take(t, got, "the notice"); notice != want {
		t.Errorf("heard %s", notice)
	}
}

// subscriptionClose closes while the listener runs: Close must wait for it, and the
// listener must not be called afterwards.
func subscriptionClose(t *testing.T, b Broker) {
	conn, topic := dial(t, b), named(t, "t")
	entered, release := make(chan struct{}, 9), make(chan struct{})
	var running bool
	s := subscribe(t, conn, topic, "#", func(string, json.RawMessage) {
		running = true
		entered <- struct{}{}
		<-release
		running = false
	})
	after := listen(t, conn, topic, "#")
	mustPublish(t, conn, topic, "k", 1)
	take(t, entered, "the notice")
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case <-closed:
		t.Fatal("Close returned while the listener ran")
	case <-after.listening(t, conn, topic):
	}
	close(release)
	if err := take(t, closed, "Close"); err != nil {
		t.Errorf("Close: %v", err)
	}
	if running {
		t.Error("Close returned while the listener ran")
	}
	if len(entered) != 0 {
		t.Error("the listener was called after Close")
	}
}

// listening returns a channel that is closed when h has heard everything that was
// published before.
func (h *heard) listening(t testing.TB, c bus.Conn, topic string) <-chan struct{} {
	mustPublish(t, c, topic, "k", "end")
	return h.done
}
