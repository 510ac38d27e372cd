package watchers_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/internal/watchers"
)

func TestWatchersHearChangesOnly(t *testing.T) {
	var w watchers.Watchers
	var got []string
	w.Set(bus.Status{Connected: true})
	stop := w.Add(func(s bus.Status) { got = append(got, s.String()) })
	w.Set(bus.Status{Connected: true})
	w.Set(bus.Status{Err: bus.ErrDisconnected})
	w.Set(bus.Status{Err: errors.New("another reason")})
	w.Set(bus.Status{Connected: true})
	w.Set(bus.Status{Connected: true, Blocked: true, Err: bus.ErrBlocked})
	w.Set(bus.Status{Err: bus.ErrDisconnected})
	w.Set(bus.Status{Err: bus.ErrClosed})
	stop()
	w.Set(bus.Status{Connected: true})
	want := []string{"connected", "not connected: " + bus.ErrDisconnected.Error(), "connected",
		"connected, but: " + bus.ErrBlocked.Error(), "not connected: " + bus.ErrDisconnected.Error(), "not connected: " + bus.ErrClosed.Error()}
	if !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}
