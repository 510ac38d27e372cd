package bus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// collect is a caller that collects answers.
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
	full := muster.Reason{Code: "full", Text: "full"}
	bus.NewRequest(bus.Call{Codes: true}, heard.send).RefuseDetail(fmt.Errorf("%w", full), []int{3})
	bus.NewRequest(bus.Call{}, heard.send).RefuseDetail(full, func() {})
	bus.NewRequest(bus.Call{}, heard.send).Reply(func() {})
	var refusal *bus.RemoteError
	if !errors.As(heard.all[0].Refusal(), &refusal) || !errors.Is(refusal, muster.Reason{Code: "full"}) || refusal.Error() != "full" || string(refusal.Detail) != "[3]" {
		t.Errorf("refusal %+v", heard.all[0])
	}
	if r := heard.all[1]; !r.Failed || r.Err != "full" || r.Detail != nil || r.Code != "" {
		t.Errorf("detail that cannot be encoded, for a caller that reads no codes: %+v", r)
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
	r.RefuseDetail(errors.New("4"), 5)
}

// TestHeldRequestIsSettledOnce: settle is called once, unless an answer is sent.
func TestHeldRequestIsSettledOnce(t *testing.T) {
	for name, c := range map[string]struct {
		call bool
		end  func(*bus.Request)
		want []bool
	}{
		"call answered":   {true, func(r *bus.Request) { r.Reply(1) }, nil},
		"call dropped":    {true, func(r *bus.Request) { r.Done() }, []bool{true}},
		"call given back": {true, func(r *bus.Request) { r.GiveBack() }, []bool{false}},
		"cast done":       {false, func(r *bus.Request) { r.Done() }, []bool{true}},
		"cast replied":    {false, func(r *bus.Request) { r.Reply(1) }, []bool{true}},
		"cast refused":    {false, func(r *bus.Request) { r.Fail("no") }, []bool{true}},
		"cast given back": {false, func(r *bus.Request) { r.GiveBack() }, []bool{false}},
	} {
		var heard collect
		var settled []bool
		var send func(bus.Reply)
		if c.call {
			send = heard.send
		}
		r := bus.NewHeldRequest(bus.Call{}, send, func(done bool) { settled = append(settled, done) })
		c.end(r)
		answers := len(heard.all)
		r.Reply(2)
		r.Done()
		if r.GiveBack() {
			t.Errorf("%s: it was given back afterwards", name)
		}
		if !slices.Equal(settled, c.want) || len(heard.all) != answers || (answers == 1) != (c.want == nil) {
			t.Errorf("%s: settled %v with %d answers", name, settled, len(heard.all))
		}
	}
}

// TestGiveBackToNobody: if no queue holds the request, it can still be answered.
func TestGiveBackToNobody(t *testing.T) {
	var heard collect
	r := bus.NewRequest(bus.Call{}, heard.send)
	if r.GiveBack() {
		t.Error("it was given back")
	}
	r.Reply(1)
	if len(heard.all) != 1 {
		t.Errorf("%d answers", len(heard.all))
	}
	r = bus.NewRequest(bus.Call{}, heard.send)
	r.Done()
	if r.Reply(2); len(heard.all) != 1 {
		t.Error("a call that was left was answered")
	}
}
