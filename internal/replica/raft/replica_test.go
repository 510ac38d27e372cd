package raft

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

func TestManagersAgree(t *testing.T) {
	for _, n := range []int{1, 3, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f := newFleet(t, n, nil)
			f.join("w1")
			for i := range 50 {
				f.schedule(fmt.Sprint("t", i))
			}
			f.equal()
			if s := f.leader().State().Counts(); len(s) != 1 || s[0].Reserved != 50 {
				t.Errorf("counts: %+v", s)
			}
		})
	}
}

func TestOnlyTheLeaderProposes(t *testing.T) {
	f := newFleet(t, 3, nil)
	lead := f.leader()
	m := f.followers()[0]
	m.await("following", func() bool { return m.Role().Leader == lead.opts.Addr })
	_, err := m.try(state.Expire{})
	var not replica.NotLeaderError
	if !errors.As(err, &not) || not.Leader != lead.opts.Addr {
		t.Errorf("got %v, want a NotLeaderError that names %s", err, lead.opts.Addr)
	}
}

func TestLeaderDies(t *testing.T) {
	f := newFleet(t, 3, nil)
	f.join("w1")
	for i := range 4 {
		lead := f.leader()
		f.voters(3)
		f.schedule(fmt.Sprint("before", i))
		start := time.Now()
		f.kill(lead)
		f.schedule(fmt.Sprint("after", i))
		t.Logf("%v from the death to the next commit", time.Since(start))
		for j := range i + 1 {
			if w := f.schedule(fmt.Sprint("before", j)); w != "w1" {
				t.Fatalf("task before%d is lost", j)
			}
		}
		f.start(lead.opts.Addr, f.addrs) // with nothing in its memory
		f.voters(3)
		f.equal()
	}
}

func TestLostConnectionsUnseatNobody(t *testing.T) {
	f := newFleet(t, 3, nil)
	f.join("w1")
	lead := f.leader()
	var term uint64
	lead.do(func() { term = lead.Role().Term })
	for round := range 5 {
		for _, m := range f.followers() {
			m.link(lead.opts.Addr).drop()
			lead.link(m.opts.Addr).drop()
		}
		f.schedule(fmt.Sprint("t", round))
	}
	f.equal()
	lead.do(func() {
		if role := lead.Role(); role.Kind != replica.Leader || role.Term != term {
			t.Errorf("%+v, was leader of term %d", role, term)
		}
	})
}

func TestReads(t *testing.T) {
	f := newFleet(t, 3, nil)
	f.join("w1")
	for i := range 20 {
		task := fmt.Sprint("t", i)
		f.schedule(task)
		for _, m := range f.managers {
			got := make(chan error, 1)
			m.do(func() {
				m.Read(func(s *state.State, err error) {
					if err == nil {
						_, err = s.Scheduled("webrtc", task)
					}
					got <- err
				})
			})
			if err := <-got; err != nil {
				t.Fatalf("read of %s on %s: %v", task, m.opts.Addr, err)
			}
		}
	}
}

func TestReadWithoutQuorumFails(t *testing.T) {
	f := newFleet(t, 3, nil)
	lead := f.leader()
	for _, m := range f.followers() {
		f.kill(m)
	}
	got := make(chan error, 1)
	lead.do(func() { lead.Read(func(_ *state.State, err error) { got <- err }) })
	if err := <-got; err == nil {
		t.Error("a read was answered without a majority")
	}
	lead.await("without the lead", func() bool { return lead.Role().Kind == replica.Candidate })
}

func TestProposalWithoutQuorumIsLost(t *testing.T) {
	f := newFleet(t, 3, nil)
	lead := f.leader()
	for _, m := range f.followers() {
		f.kill(m)
	}
	if _, err := lead.try(state.Expire{}); !errors.Is(err, replica.ErrLost) && !errors.As(err, &replica.NotLeaderError{}) {
		t.Errorf("got %v, want ErrLost", err)
	}
}

func TestCloseAnswersEverything(t *testing.T) {
	f := newFleet(t, 3, nil)
	lead := f.leader()
	for _, m := range f.followers() {
		f.kill(m)
	}
	out := make(chan error, 3)
	lead.do(func() {
		lead.Propose(proposal(state.Expire{}, func(err error) { out <- err }))
		lead.Read(func(_ *state.State, err error) { out <- err })
	})
	f.kill(lead)
	lead.Propose(proposal(state.Expire{}, func(err error) { out <- err }))
	for range 3 {
		if err := <-out; err == nil {
			t.Error("an answer without a quorum")
		}
	}
}

func TestTransfer(t *testing.T) {
	f := newFleet(t, 3, nil)
	f.join("w1")
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	for i := range 5 {
		lead := f.leader()
		f.schedule(fmt.Sprint("t", i))
		start := time.Now()
		if err := lead.Transfer(ctx); err != nil {
			t.Fatal(err)
		}
		f.schedule(fmt.Sprint("u", i))
		t.Logf("%v for the handover", time.Since(start))
		if f.leader() == lead {
			t.Error("leadership not transferred")
		}
	}
	f.equal()
}

func TestTransferAlone(t *testing.T) {
	f := newFleet(t, 1, nil)
	if err := f.leader().Transfer(t.Context()); err == nil {
		t.Error("a manager that is alone handed the lead over")
	}
}

func TestAddAndRemove(t *testing.T) {
	f := newFleet(t, 3, func(o *Options) { o.CompactBytes = 2000 })
	f.join("w1")
	for i := range 200 { // so that the newcomers need a snapshot
		f.schedule(fmt.Sprint("t", i))
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	for range 2 {
		addr := f.address()
		f.start(addr, f.addrs)
		if err := f.leader().Add(ctx, addr); err != nil {
			t.Fatal(err)
		}
		f.addrs = append(f.addrs, addr)
		f.schedule("after " + addr)
	}
	f.voters(5)
	f.equal()
	for len(f.addrs) > 3 {
		gone := f.managers[f.addrs[0]]
		for f.leader() == gone {
			if err := gone.Transfer(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.leader().Remove(ctx, f.addrs[0]); err != nil {
			t.Fatal(err)
		}
		f.kill(gone)
		f.addrs = f.addrs[1:]
	}
	f.voters(3)
	f.schedule("last")
	f.equal()
}

func TestRemoveTheLeader(t *testing.T) {
	f := newFleet(t, 3, nil)
	f.join("w1")
	lead := f.leader()
	if _, err := ask(t.Context(), lead.Replica, func(c *Core) error { return c.Dismiss(lead.opts.Addr) }); err != nil {
		t.Fatal(err)
	}
	for _, m := range f.followers() {
		if m != lead {
			if _, err := m.Await(t.Context(), func(s Status) bool { return len(s.Members) == 2 }); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.kill(lead)
	f.schedule("t")
	f.voters(2)
}

func TestRestartOnDisk(t *testing.T) {
	dirs := map[string]string{}
	f := newFleet(t, 3, func(o *Options) {
		if dirs[o.Addr] == "" {
			dirs[o.Addr] = t.TempDir()
		}
		o.Dir, o.CompactBytes = dirs[o.Addr], 4000
	})
	f.join("w1")
	for round := range 3 {
		for i := range 30 {
			f.schedule(fmt.Sprint("t", round, " ", i))
		}
		for _, addr := range f.addrs {
			f.kill(f.managers[addr])
		}
		for _, addr := range f.addrs {
			f.start(addr, f.addrs)
		}
		lead := f.leader()
		lead.do(func() {
			if n := lead.State().Counts()[0].Reserved; n != 30*(round+1) {
				t.Errorf("%d tasks after a restart of all, want %d", n, 30*(round+1))
			}
		})
		f.equal()
	}
}

func TestRestartInMemoryBeginsAnew(t *testing.T) {
	f := newFleet(t, 3, nil)
	f.join("w1")
	f.equal()
	for _, m := range f.followers() { // a majority of the logs
		f.kill(m)
		f.start(m.opts.Addr, f.addrs)
	}
	f.voters(3)
	lead := f.leader()
	lead.do(func() {
		if lead.State().Has("w1") {
			t.Error("a state that no majority has")
		}
	})
	f.join("w2")
	f.equal()
}

func TestDirectoryOfAnother(t *testing.T) {
	dir := t.TempDir()
	f := newFleet(t, 1, func(o *Options) { o.Dir = dir })
	f.leader()
	_, err := Start(f.options(f.addrs[0], f.addrs))
	if err == nil {
		t.Fatal("two managers in one directory")
	}
	t.Log(err)
	f.kill(f.managers[f.addrs[0]])
	other := f.address()
	if _, err = Start(f.options(other, []string{other})); err == nil {
		t.Fatal("a manager in the directory of another")
	}
	t.Log(err)
}

func TestLargeCommands(t *testing.T) {
	f := newFleet(t, 3, nil)
	f.join("w1")
	big := func(size int) state.Op {
		return state.Schedule{Purpose: "webrtc", Task: fmt.Sprint("t", size), Preference: bytes.Repeat([]byte("1"), size)}
	}
	if _, err := f.leader().try(big(maxCommand)); err == nil {
		t.Error("a command was taken that is too large")
	}
	for range 5 {
		f.must(big(maxCommand - 1000))
	}
	f.schedule("t")
	f.equal()
}

func TestWithElectionTimeout(t *testing.T) {
	for _, c := range []struct {
		timeout             time.Duration
		election, heartbeat int
	}{
		{100 * time.Millisecond, DefaultOptions().ElectionTicks, DefaultOptions().HeartbeatTicks},
		{50 * time.Millisecond, 5, 1},
		{0, 5, 1},
		{time.Second, 100, 20},
		{30 * time.Second, 3000, 600},
	} {
		o := DefaultOptions().WithElectionTimeout(c.timeout)
		if o.ElectionTicks != c.election || o.HeartbeatTicks != c.heartbeat {
			t.Errorf("%v: %d ticks, heartbeats every %d; want %d and %d", c.timeout, o.ElectionTicks, o.HeartbeatTicks, c.election, c.heartbeat)
		}
		o.Addr, o.Peers = "a:1", []string{"a:1"}
		if err := o.Validate(); err != nil {
			t.Errorf("%v: %v", c.timeout, err)
		}
	}
}

func TestValidate(t *testing.T) {
	for what, change := range map[string]func(*Options){
		"Cluster":        func(o *Options) { o.Cluster = "" },
		"Peers":          func(o *Options) { o.Peers = nil },
		"each manager":   func(o *Options) { o.Peers = []string{"a:1", "a:1"} },
		"host:port":      func(o *Options) { o.Addr = "nowhere" },
		"authenticate":   func(o *Options) { o.Secret = nil },
		"16 or more":     func(o *Options) { o.Secret = []byte("short") },
		"Tick":           func(o *Options) { o.Tick = 0 },
		"HeartbeatTicks": func(o *Options) { o.HeartbeatTicks = 0 },
		"ElectionTicks":  func(o *Options) { o.ElectionTicks = 3 },
		"CompactBytes":   func(o *Options) { o.CompactBytes = 0 },
		"MaxSnapshot":    func(o *Options) { o.MaxSnapshot = 0 },
		"Placement":      func(o *Options) { o.Placement.General = "none" },
		"Label":          func(o *Options) { o.Label = strings.Repeat("x", 2000) },
	} {
		opts := DefaultOptions()
		opts.Addr, opts.Peers, opts.Secret = "a:1", []string{"a:1", "b:1"}, testSecret
		if err := opts.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&opts)
		if err := opts.Validate(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// drop closes the connection, as a failing network does.
func (l *link) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close()
	}
}
