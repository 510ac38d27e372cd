package intake

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

func body(method, arg, corrID, replyTo string) []byte {
	c := bus.Call{Method: method, Args: bus.Args{[]byte(`"` + arg + `"`)}, ReplyTo: replyTo}
	if corrID != "" {
		c.CorrID = []byte(corrID)
	}
	return bus.AppendCall(nil, c)
}

func TestKeepAliveIsRecognizedByItsPrefix(t *testing.T) {
	for want, methods := range map[bool][]string{true: {"keepAlive", "reportLoad"}, false: {"schedule", "keepAlives", "join"}} {
		for _, method := range methods {
			if IsKeepAlive(body(method, "w", "1", "q")) != want {
				t.Errorf("%s: want %v", method, want)
			}
		}
	}
	if IsKeepAlive(body("keepAlive", strings.Repeat("w", Large), "1", "q")) {
		t.Error("a large body counts as a sign of life")
	}
}

func TestAddressIsFoundWithoutReading(t *testing.T) {
	for _, c := range []struct{ corrID, replyTo string }{{"7", "amq.gen-x"}, {`"text"`, ""}, {"7", `odd"queue`}} {
		large := body("schedule", strings.Repeat("x", 1<<20), c.corrID, c.replyTo)
		if corrID, replyTo := Address(large); string(corrID) != c.corrID || replyTo != c.replyTo {
			t.Errorf("got %s and %q, want %v", corrID, replyTo, c)
		}
	}
	for _, strange := range []string{"", "{", `{"a":1,"corrID":`, `,"corrID":[[[`, `{"method":"x","args":[]}`} {
		if corrID, replyTo := Address([]byte(strange)); corrID != nil || replyTo != "" {
			t.Errorf("%s: got %s and %q", strange, corrID, replyTo)
		}
	}
}

func TestSubject(t *testing.T) {
	if got := Subject(body("pickUpTasks", "w-1", "", "")); got != "w-1" {
		t.Errorf("got %q", got)
	}
	if got := Subject([]byte(`[1`)); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestBulkIsBoundedByBytes(t *testing.T) {
	begin := make(chan struct{})
	b := NewBulk(func(int) { <-begin })
	n := 0
	for b.Put(n, 8<<20, "flood") {
		n++
	}
	if n*8<<20 > Room {
		t.Errorf("%d MiB wait", n*8)
	}
	close(begin)
	b.Wait()
	if !b.Put(0, Room+1, "one") {
		t.Error("a body that is longer than the room never finds any")
	}
	b.Wait()
}

func TestBulkKeepsTheOrderOfASender(t *testing.T) {
	begin := make(chan struct{})
	var mu sync.Mutex
	var got []string
	hear := func(s string) { mu.Lock(); got = append(got, s); mu.Unlock() }
	b := NewBulk(func(s string) { <-begin; hear(s) })
	put := func(sender string, bytes, n int) {
		name := fmt.Sprint(sender, n)
		if b.Takes(bytes, func() string { return sender }) {
			b.Put(name, bytes, sender)
		} else {
			hear(name)
		}
	}
	put("a", Large, 1)
	put("a", 1, 2)
	put("b", 1, 1)
	put("a", 1, 3)
	close(begin)
	b.Wait()
	put("a", 1, 4)
	if want := []string{"b1", "a1", "a2", "a3", "a4"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
