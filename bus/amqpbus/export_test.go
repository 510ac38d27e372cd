package amqpbus

import (
	"time"

	"github.com/muster-fleet/muster/bus"
)

// RenewPlugsEvery shortens the life of plugs, and returns how to undo that. No
// member may be there.
func RenewPlugsEvery(d time.Duration) (undo func()) {
	old := replugAfter
	replugAfter = d
	return func() { replugAfter = old }
}

// Window is how many requests the member may have in hand while it leads.
func Window(p bus.GroupMember) int {
	post := p.(*post)
	post.turning.Lock()
	defer post.turning.Unlock()
	return post.desk.window.limit
}

// SetWindow sets it, until the load says otherwise.
func SetWindow(p bus.GroupMember, limit int) error {
	post := p.(*post)
	post.turning.Lock()
	defer post.turning.Unlock()
	return post.desk.admit(window{limit: limit})
}
