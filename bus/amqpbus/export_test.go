package amqpbus

import "github.com/muster-fleet/muster/bus"

// Window is how many requests the member may have in hand while it leads.
func Window(p bus.Post) int {
	post := p.(*post)
	post.turning.Lock()
	defer post.turning.Unlock()
	return post.desk.window.limit
}

// SetWindow sets it, until the load says otherwise.
func SetWindow(p bus.Post, limit int) error {
	post := p.(*post)
	post.turning.Lock()
	defer post.turning.Unlock()
	return post.desk.admit(window{limit: limit})
}
