package purposes_test

import (
	"slices"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/purposes"
	"github.com/muster-fleet/muster/media"
)

// TestTheTableNamesWhatThereIs: a strategy or a kind that does not exist would
// show with the first task only.
func TestTheTableNamesWhatThereIs(t *testing.T) {
	for _, name := range purposes.Names() {
		p := purposes.Of(name)
		if p.Strategy != "" && !slices.Contains(muster.Strategies, p.Strategy) {
			t.Errorf("%s: there is no strategy %q", name, p.Strategy)
		}
		if p.Media != "" && !slices.Contains(media.Kinds(), p.Media) {
			t.Errorf("%s: there is no kind of media task %q", name, p.Media)
		}
		if p.PerTask && p.OwnRoom {
			t.Errorf("%s: a node of one task has no room to keep for itself", name)
		}
	}
}
