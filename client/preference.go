package client

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/muster-fleet/muster"
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
		if near := nearest(name, muster.PreferenceMembers); near != "" {
			return fmt.Errorf("client: preference.%s is unknown: did you mean %s?", name, near)
		}
	}
	return nil
}

// nearest returns the word that name is probably meant to be, "" if there is
// none: at most two letters are wrong, missing, too many or swapped, and fewer than
// half of them. Words of three letters resemble too much.
func nearest(name string, words []string) string {
	best, least := "", 3
	for _, word := range words {
		if strings.Count(name, ".") != strings.Count(word, ".") {
			continue
		}
		if d := distance(strings.ToLower(name), word); d < least && 2*d < len(word) && len(word) > 3 {
			best, least = word, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with the next
// one to get from a to b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = slices.Min([]int{replace, rows[i-1][j] + 1, rows[i][j-1] + 1})
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
