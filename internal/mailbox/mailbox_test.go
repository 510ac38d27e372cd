package mailbox_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/muster-fleet/muster/internal/mailbox"
)

// Everything that is put arrives once, in the order of its sender, however the
// signals coalesce.
func TestNothingIsLost(t *testing.T) {
	const senders, each = 4, 1000
	box := mailbox.New[[2]int]()
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for i := range each {
				box.Put([2]int{s, i})
			}
		})
	}
	var next [senders]int
	for got := 0; got < senders*each; {
		<-box.Ready()
		for _, item := range box.Take() {
			if item[1] != next[item[0]] {
				t.Fatalf("sender %d: got item %d where %d was due", item[0], item[1], next[item[0]])
			}
			next[item[0]]++
			got++
		}
	}
	all.Wait()
}

func TestTakenItemsAreTheCallers(t *testing.T) {
	box := mailbox.New[int]()
	box.Put()
	box.Put(1, 2)
	first := box.Take()
	box.Put(3)
	if second := box.Take(); !slices.Equal(first, []int{1, 2}) || !slices.Equal(second, []int{3}) {
		t.Errorf("got %v and %v", first, second)
	}
	if rest := box.Take(); len(rest) != 0 {
		t.Errorf("%v was there twice", rest)
	}
}

func TestSignalsCountAsOne(t *testing.T) {
	s := mailbox.NewSignal()
	s.Raise()
	s.Raise()
	<-s
	select {
	case <-s:
		t.Error("two signals before the first was seen are two")
	default:
	}
}
