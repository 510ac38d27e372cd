package bustest

import (
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var watchCases = []testCase{
	{"WatchTellsAtOnce", watchAtOnce},
	{"WatchAfterClose", watchClosed},
}

// watch sends each status to a channel with a buffer that is large enough for any
// case.
func watch(t testing.TB, c bus.Conn) <-chan bus.Status {
	ch := make(chan bus.Status, 1000)
	t.Cleanup(c.Watch(func(s bus.Status) { ch <- s }))
	return ch
}

// await waits until the connection is up, or down.
func await(t testing.TB, ch <-chan bus.Status, connected bool) bus.Status {
	t.Helper()
	for {
		if s := take(t, ch, "a change of the connection"); s.Connected == connected {
			return s
		}
	}
}

func watchAtOnce(t *testing.T, b Broker) {
	c := dial(t, b)
	var statuses []bus.Status
	stop := c.Watch(func(s bus.Status) { statuses = append(statuses, s) })
	if len(statuses) != 1 || !statuses[0].Connected || statuses[0].Err != nil {
		t.Fatalf("Watch reported %v", statuses)
	}
	stop()
	stop()
}

func watchClosed(t *testing.T, b Broker) {
	c := dial(t, b)
	ch := watch(t, c)
	await(t, ch, true)
	closeOnce(t, c)
	wantOneOf(t, await(t, ch, false).Err, bus.ErrClosed)
}
