package manager

import (
	"maps"
	"slices"

	"github.com/muster-fleet/muster/bus"
)

// reportCapacity tells the cloud whether there are workers of the purpose, where
// that is another answer than the one before. A new leader reports all purposes
// again: it does not know what reached the cloud.
func (c *core) reportCapacity(purpose string) {
	there := c.replica.State().Offers(purpose)
	if c.opts.Cloud == nil || c.offered[purpose] == there {
		return
	}
	c.offered[purpose] = there
	c.opts.Cloud.Capacity(purpose, there)
}

// reportAllCapacity is what a new leader reports. What it reported in an
// earlier term and is gone, it takes back.
func (c *core) reportAllCapacity() {
	if c.opts.Cloud == nil {
		return
	}
	before := c.offered
	c.offered = map[string]bool{}
	for _, count := range c.replica.State().Counts() {
		c.reportCapacity(count.Purpose)
	}
	for _, purpose := range slices.Sorted(maps.Keys(before)) {
		if before[purpose] && !c.offered[purpose] {
			c.opts.Cloud.Capacity(purpose, false)
		}
	}
}

// The methods that the cloud hears of. As in OWT they are answered at once, and
// without cascading, too.

func decodeGetClusterID(r *reader) action {
	room, token := r.raw(0), r.raw(1)
	return notifyCloud(func(cloud Cloud) { cloud.Conference(room, token) }, (*core).clusterID)
}

func decodeRegisterInfo(r *reader) action {
	info := r.raw(0)
	return notifyCloud(func(cloud Cloud) { cloud.Register(info) }, answerOK)
}

func decodeLeaveConference(r *reader) action {
	room := r.raw(0)
	return notifyCloud(func(cloud Cloud) { cloud.Leave(room) }, answerOK)
}

func notifyCloud(tell func(Cloud), then action) action {
	return func(c *core, req *bus.Request) {
		if c.opts.Cloud != nil && c.leads() {
			tell(c.opts.Cloud)
		}
		then(c, req)
	}
}
