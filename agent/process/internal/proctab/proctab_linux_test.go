package proctab

import (
	"slices"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const rest = " 34 32 31 34816 41 4194304 1 2 3 4 10 20 30 40 20 0 %T 0 777 6 7"
	line := func(state, threads string) []byte {
		return []byte("12 (a) R (b c) " + state + rest[:len(" 34 32 31 34816 41 4194304 1 2 3 4 10 20 30 40 20 0 ")] + threads + " 0 777 6 7")
	}
	p, err := parse(12, line("S", "1"))
	want := Process{PID: 12, Parent: 34, Session: 31, Start: 777, CPU: time.Second}
	if err != nil || p != want {
		t.Errorf("got %+v, %v; want %+v", p, err, want)
	}
	for _, c := range []struct {
		state, threads string
		alive          bool
	}{{"Z", "1", false}, {"X", "0", false}, {"Z", "2", true}, {"D", "1", true}} {
		if p, err := parse(12, line(c.state, c.threads)); err != nil || p.Alive() != c.alive {
			t.Errorf("state %s, %s threads: alive is %v, %v; want %v", c.state, c.threads, p.Alive(), err, c.alive)
		}
	}
	for _, bad := range []string{"", "12 (a) S 1", "12 a S" + rest, "12 (a) S x" + rest} {
		if p, err := parse(12, []byte(bad)); err == nil {
			t.Errorf("%q: got %+v; want an error", bad, p)
		}
	}
}

func TestWithDescendants(t *testing.T) {
	all := []Process{{PID: 1}, {PID: 2, Parent: 1}, {PID: 3, Parent: 2}, {PID: 4, Parent: 3}, {PID: 5, Parent: 1}, {PID: 6, Parent: 6}}
	var got []int
	for _, p := range WithDescendants(all, []Process{all[1], all[2], all[5]}) {
		got = append(got, p.PID)
	}
	slices.Sort(got)
	if want := []int{2, 3, 4, 6}; !slices.Equal(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
}
