package client

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/nearest"
)

const (
	// maxChecked is how many preferences a client remembers, maxCheckedBytes the
	// longest of them.
	maxChecked      = 256
	maxCheckedBytes = 1024
)

// checkedPreferences are preferences, as they were given, that are right, and
// what goes out of them. Most callers ask with few different ones, and to check
// one costs more than to send it.
type checkedPreferences struct {
	mu    sync.RWMutex
	known map[string]json.RawMessage
}

func (c *checkedPreferences) get(given json.RawMessage) (json.RawMessage, bool) {
	c.mu.RLock()
	raw, ok := c.known[string(given)]
	c.mu.RUnlock()
	return raw, ok
}

// put remembers a preference, and forgets all others where they are too many.
func (c *checkedPreferences) put(given, raw json.RawMessage) {
	if len(given) > maxCheckedBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxChecked {
		c.known = map[string]json.RawMessage{}
	}
	c.known[string(given)] = raw
}

// checkMembers refuses a preference with a member that Muster would ignore and
// that is probably a misspelled one: the task would go where it must not be.
// Other unknown members are left to the programs that read them.
func checkMembers(raw json.RawMessage) error {
	p, err := muster.ParsePreference(raw)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	for _, name := range p.Ignored {
		if near := nearestMember(name); near != "" {
			return fmt.Errorf("client: preference.%s is unknown: did you mean %s?", name, near)
		}
	}
	return nil
}

// nearestMember returns the member that was probably meant by name, "" if none is
// close. It is stricter than nearest.Word, since a refusal ends the call: at most
// two letters may differ, and fewer than half of them.
func nearestMember(name string) string {
	best, least := "", 3
	for _, word := range muster.PreferenceMembers {
		if strings.Count(name, ".") != strings.Count(word, ".") {
			continue
		}
		if d := nearest.Distance(strings.ToLower(name), word); d < least && 2*d < len(word) && len(word) > 3 {
			best, least = word, d
		}
	}
	return best
}
