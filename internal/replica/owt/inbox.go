package owt

import (
	"encoding/json"
	"sync"

	"github.com/muster-fleet/muster/internal/replica/owt/election"
)

// inboxLimit is how many messages wait for an owner that is busy.
const inboxLimit = 1 << 16

// letter is a message as it came.
type letter struct {
	to      election.Role
	private bool // for this manager alone
	body    json.RawMessage
}

// inbox is what was heard and not looked at yet.
type inbox struct {
	mu      sync.Mutex
	letters []letter
	dropped uint64
}

func (b *inbox) put(l letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.letters) >= inboxLimit {
		b.dropped++
		return
	}
	b.letters = append(b.letters, l)
}

// take empties the inbox.
func (b *inbox) take() []letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	letters := b.letters
	b.letters = nil
	return letters
}

func (b *inbox) lost() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}
