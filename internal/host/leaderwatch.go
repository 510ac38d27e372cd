package host

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
)

const (
	// listenEvery is how often a leader looks whether it hears itself.
	listenEvery = 500 * time.Millisecond
	// firstMisses is how many looks in vain make it give the lead away: 2 s,
	// well under the silence for which a worker is given up. It doubles each
	// time up to mostMisses, lest the lead goes round while the queue is away.
	firstMisses, mostMisses = 4, 64
	// topicLeaderWatch is where it talks to itself.
	topicLeaderWatch = "musterManagers"
)

// leaderWatch steps down where this manager leads and is cut off from the message
// queue: the other managers see a healthy leader, and no caller reaches it. A
// connection that is cut is silent for long before it is known to be lost.
type leaderWatch struct {
	conn     bus.Conn
	key      string
	leads    func(context.Context) bool
	handOver func(context.Context) error
	log      *slog.Logger

	heard   mailbox.Signal
	sub     bus.Subscription
	unwatch func()
	blocked atomic.Bool // the broker takes no messages, of anybody
	end     context.CancelFunc
	running sync.WaitGroup
}

// startLeaderWatch listens for what this manager says.
func startLeaderWatch(ctx context.Context, conn bus.Conn, leads func(context.Context) bool, handOver func(context.Context) error, log *slog.Logger) (*leaderWatch, error) {
	l := &leaderWatch{
		conn: conn, key: fmt.Sprintf("leaderWatch.%x", rand.Uint64()), leads: leads, handOver: handOver,
		log: log, heard: mailbox.NewSignal(),
	}
	var err error
	if l.sub, err = conn.Subscribe(ctx, topicLeaderWatch, l.key, l.listen); err != nil {
		return nil, fmt.Errorf("listen on the message queue: %w", err)
	}
	l.unwatch = conn.Watch(l.follow)
	ctx, l.end = context.WithCancel(context.Background())
	ticks := time.NewTicker(listenEvery)
	l.running.Go(func() {
		defer ticks.Stop()
		l.run(ctx, ticks.C)
	})
	return l, nil
}

func (l *leaderWatch) close() error {
	l.unwatch()
	l.end()
	l.running.Wait()
	return l.sub.Close()
}

func (l *leaderWatch) follow(s bus.Status) { l.blocked.Store(s.Blocked) }

func (l *leaderWatch) listen(string, json.RawMessage) {
	l.heard.Raise()
}

// run counts looks and not time, which goes on while a process is stopped. A
// broker that is blocked takes the next leader's messages no more than this one's.
func (l *leaderWatch) run(ctx context.Context, ticks <-chan time.Time) {
	missed, limit := 0, firstMisses
	for {
		select {
		case <-l.heard:
			missed, limit = 0, firstMisses
			continue
		case <-ticks:
		case <-ctx.Done():
			return
		}
		if l.blocked.Load() || !l.leads(ctx) {
			missed = 0
			continue
		}
		if missed++; missed > limit {
			missed, limit = 0, min(2*limit, mostMisses)
			l.stepDown(ctx)
		}
		l.say(ctx)
	}
}

func (l *leaderWatch) say(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, listenEvery)
	defer cancel()
	_ = l.conn.Publish(ctx, topicLeaderWatch, l.key, true) // what is not heard is what counts
}

func (l *leaderWatch) stepDown(ctx context.Context) {
	l.log.Warn("leader cut off from the message queue: stepping down")
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	if err := l.handOver(ctx); err != nil {
		l.log.Warn("leadership not transferred", "err", err)
	}
}
