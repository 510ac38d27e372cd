package bus_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

// collect is a caller that hears answers.
type collect struct {
	mu  sync.Mutex
	all []bus.Reply
}

func (c *collect) send(r bus.Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, r)
}

func TestRequestIsAnsweredOnce(t *testing.T) {
	var heard collect
	r := bus.NewRequest(bus.Call{Method: "m"}, heard.send)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { r.Reply(1) })
		wg.Go(func() { r.Fail("no") })
	}
	wg.Wait()
	r.Status("late")
	if len(heard.all) != 1 {
		t.Errorf("%d answers left", len(heard.all))
	}
}

func TestRequestStatus(t *testing.T) {
	var heard collect
	r := bus.NewRequest(bus.Call{}, heard.send)
	r.Status(1)
	r.Status(make(chan int))
	r.Reply(2)
	if len(heard.all) != 2 || !heard.all[0].Status || string(heard.all[0].Data) != "1" || heard.all[1].Status {
		t.Errorf("heard %+v", heard.all)
	}
}

func TestRequestRefuses(t *testing.T) {
	var heard collect
	bus.NewRequest(bus.Call{}, heard.send).FailDetail("full", []int{3})
	bus.NewRequest(bus.Call{}, heard.send).FailDetail("full", func() {})
	bus.NewRequest(bus.Call{}, heard.send).Reply(func() {})
	var refusal *bus.RemoteError
	if !errors.As(heard.all[0].Refusal(), &refusal) || refusal.Error() != "full" || string(refusal.Detail) != "[3]" {
		t.Errorf("refusal %+v", heard.all[0])
	}
	if r := heard.all[1]; !r.Failed || r.Err != "full" || r.Detail != nil {
		t.Errorf("detail that cannot be encoded: %+v", r)
	}
	if r := heard.all[2]; !r.Failed || !strings.Contains(r.Err, "cannot be encoded") {
		t.Errorf("answer that cannot be encoded: %+v", r)
	}
	if err := (bus.Reply{Data: json.RawMessage("1")}).Refusal(); err != nil {
		t.Errorf("an answer refuses: %v", err)
	}
}

func TestCastIsNotAnswered(t *testing.T) {
	r := bus.NewRequest(bus.Call{Method: "m"}, nil)
	if r.Wanted() {
		t.Error("a cast wants an answer")
	}
	r.Status(1)
	r.Reply(2)
	r.Fail("3")
	r.FailDetail("4", 5)
}
