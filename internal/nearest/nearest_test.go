package nearest_test

import (
	"testing"

	"github.com/muster-fleet/muster/internal/nearest"
)

func TestWord(t *testing.T) {
	words := []string{"least-used", "most-used", "last-used"}
	for got, want := range map[string]string{
		"leastused": "least-used", "LAST-USED": "last-used", "lsat-used": "last-used", "moust-used": "most-used", "random": "", "": "",
	} {
		if best := nearest.Word(got, words); best != want {
			t.Errorf("nearest to %q is %q, want %q", got, best, want)
		}
	}
	if d := nearest.Distance("kitten", "sitting"); d != 3 {
		t.Errorf("kitten and sitting are %d apart, want 3", d)
	}
	if d := nearest.Distance("ab", "ba"); d != 1 {
		t.Errorf("a swap counts %d, want 1", d)
	}
}
