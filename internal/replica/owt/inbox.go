package owt

import (
	"encoding/json"
	"sync"

	"github.com/muster-fleet/muster/internal/replica/owt/election"
)

// inboxLimit is how many messages may wait while the owner is busy.
const inboxLimit = 1 << 16

// incoming is a message as it was received.
type incoming struct {
	to      election.Role
	private bool // for this manager alone
	body    json.RawMessage
}

// inbox holds messages that were received but not processed yet.
type inbox struct {
	mu       sync.Mutex
	messages []incoming
	dropped  uint64
}

func (b *inbox) put(l incoming) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.messages) >= inboxLimit {
		b.dropped++
		return
	}
	b.messages = append(b.messages, l)
}

// take empties the inbox.
func (b *inbox) take() []incoming {
	b.mu.Lock()
	defer b.mu.Unlock()
	messages := b.messages
	b.messages = nil
	return messages
}

func (b *inbox) lost() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}
