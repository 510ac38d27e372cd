package manager

import (
	"testing"
	"time"

	"github.com/muster-fleet/muster"
)

// TestClockDoesNotJump: whatever the machine's clock does, and whoever leads.
func TestClockDoesNotJump(t *testing.T) {
	var wall muster.Instant = 5_000_000
	var passed time.Duration
	c := &clock{}
	pass := func(ms int64) {
		wall, passed = wall+muster.Instant(ms), passed+time.Duration(ms)*time.Millisecond
	}
	wants := func(what string, want muster.Instant) {
		t.Helper()
		if got := c.now(Moment{wall, passed}); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	c.lead(0, Moment{wall, passed})
	wants("an empty state has the machine's time", 5_000_000)
	pass(1000)
	wants("then it passes", 5_001_000)
	wall += 3_600_000
	wants("the machine's clock is set forward", 5_001_000)
	pass(1000)
	wants("a tenth faster", 5_002_100)
	wall -= 2 * 3_600_000
	pass(1000)
	wants("a tenth slower", 5_003_000)
	wall = 5_003_000
	pass(1000)
	wants("right again", 5_004_000)

	c.lead(9_000_000, Moment{wall, passed})
	wants("a log that ended later", 9_000_000)
	pass(1000)
	wants("goes on from there, a tenth slower", 9_000_900)
}
