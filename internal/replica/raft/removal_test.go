package raft

import (
	"strings"
	"testing"
)

// voters is the status of a leader; a name in lower case is not heard, one with
// a dot before it has no vote.
func voters(names ...string) Status {
	var s Status
	for _, name := range names {
		addr, learner := strings.CutPrefix(name, ".")
		s.Members = append(s.Members, Member{Addr: strings.ToUpper(addr), Voter: !learner, Active: addr == strings.ToUpper(addr)})
	}
	return s
}

func TestCheckRemoval(t *testing.T) {
	for _, c := range []struct {
		members []string
		remove  string
		safe    bool
	}{
		{[]string{"A", "B", "C"}, "B", true},
		{[]string{"A", "B", "C"}, "A", true},
		{[]string{"A", "B", "c"}, "C", true},  // the dead one goes
		{[]string{"A", "B", "c"}, "B", false}, // one of two would be heard
		{[]string{"A", "b"}, "B", true},
		{[]string{"A"}, "A", false},
		{[]string{"A", ".B"}, "A", false}, // who stays has no vote yet
		{[]string{"A", ".B"}, "B", true},  // who has no vote is not missed
		{[]string{"A", "B", "C", "D", "e"}, "D", true},
		{[]string{"A", "B", "C", "d", "e"}, "C", false},
		{[]string{"A", "b"}, "X", true}, // no manager there: nothing is lost
	} {
		err := voters(c.members...).checkRemoval(c.remove)
		if (err == nil) != c.safe {
			t.Errorf("%v without %s: %v, want safe %v", c.members, c.remove, err, c.safe)
		}
	}
	err := voters("A", "B", "c").checkRemoval("B")
	for _, part := range []string{"without B", "1 of 2", "silent: C", "force"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}

// The last manager that votes stays, however it is asked to go.
func TestLastVoterStays(t *testing.T) {
	f := newFleet(t, 1, nil)
	lead := f.leader()
	const unused = "127.0.0.1:1"
	if _, err := ask(t.Context(), lead.Replica, func(c *Core) error { return c.Admit(unused) }); err != nil {
		t.Fatal(err)
	}
	_, err := lead.Await(t.Context(), func(s Status) bool { return len(s.Admitted) == 2 })
	if err != nil {
		t.Fatal(err)
	}
	if err := lead.Remove(t.Context(), lead.opts.Addr); err == nil || !strings.Contains(err.Error(), "the last manager") {
		t.Errorf("removed: %v", err)
	}
}
