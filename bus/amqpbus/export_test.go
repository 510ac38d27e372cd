package amqpbus

import (
	"time"

	"github.com/muster-fleet/muster/bus"
)

// RenewPlaceholdersEvery shortens the renewal interval of placeholders, and returns
// a function that restores it. No member may exist.
func RenewPlaceholdersEvery(d time.Duration) (undo func()) {
	old := renewAfter
	renewAfter = d
	return func() { renewAfter = old }
}

// Window is how many requests the member may have in hand while it leads.
func Window(p bus.GroupMember) int {
	member := p.(*groupMember)
	member.changing.Lock()
	defer member.changing.Unlock()
	return member.leader.window.limit
}

// SetWindow sets it, until the load says otherwise.
func SetWindow(p bus.GroupMember, limit int) error {
	member := p.(*groupMember)
	member.changing.Lock()
	defer member.changing.Unlock()
	return member.leader.resize(window{limit: limit})
}
