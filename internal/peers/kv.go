package peers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// readyTime bounds the start of a contender's servers.
const readyTime = 30 * time.Second

// kv assigns tasks to workers by compare-and-set on a JetStream key-value bucket,
// with one key per worker whose value is the number of its tasks.
type kv struct {
	servers *servers
	url     string
	keys    []string
	storage jetstream.StorageType
	callers []*kvCaller
}

type kvCaller struct {
	conn   *nats.Conn
	bucket jetstream.KeyValue
	watch  jetstream.KeyWatcher
	view   *view
	fed    chan struct{} // closed when the watch has ended
}

const bucket = "workers"

// startSyncedKV starts servers that sync each write before they answer.
func startSyncedKV(ctx context.Context, o Options, n int) (contender, error) {
	o.NATS = append(slices.Clone(o.NATS), "--sync-always")
	return startKV(ctx, o, n)
}

func startKV(ctx context.Context, o Options, n int) (contender, error) {
	s, err := newServers(o.Disk)
	if err != nil {
		return nil, err
	}
	c := &kv{servers: s, keys: workerKeys(o.Workers), storage: jetstream.MemoryStorage}
	if o.Disk != "" {
		c.storage = jetstream.FileStorage
	}
	if c.url, err = s.startNATS(o.NATS, n); err == nil {
		ctx, cancel := context.WithTimeout(ctx, readyTime)
		defer cancel()
		err = eventually(ctx, func(ctx context.Context) error { return c.fill(ctx, n) })
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func workerKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("worker-%d", i)
	}
	return keys
}

// fill makes the bucket, and a key for each worker.
func (c *kv) fill(ctx context.Context, replicas int) error {
	conn, err := nats.Connect(c.url, nats.Timeout(time.Second))
	if err != nil {
		time.Sleep(20 * time.Millisecond) // a refused connection fails at once
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	store, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: bucket, Storage: c.storage, Replicas: replicas,
	})
	if err != nil {
		return err
	}
	for _, key := range c.keys {
		if _, err := store.PutString(ctx, key, "0"); err != nil {
			return err
		}
	}
	return nil
}

func (c *kv) connect(ctx context.Context, callers int) error {
	c.disconnect()
	for range callers {
		caller, err := c.dial(ctx)
		if err != nil {
			return err
		}
		c.callers = append(c.callers, caller)
	}
	return nil
}

func (c *kv) dial(ctx context.Context) (*kvCaller, error) {
	conn, err := nats.Connect(c.url)
	if err != nil {
		return nil, err
	}
	caller := &kvCaller{conn: conn, view: newView(c.keys), fed: make(chan struct{})}
	js, err := jetstream.New(conn)
	if err == nil {
		caller.bucket, err = js.KeyValue(ctx, bucket)
	}
	if err == nil {
		caller.watch, err = caller.bucket.WatchAll(context.WithoutCancel(ctx))
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	known := make(chan struct{})
	go caller.feed(known)
	select {
	case <-known:
		return caller, nil
	case <-ctx.Done():
		caller.close()
		return nil, ctx.Err()
	}
}

// feed keeps the view up to date, and closes known when it has every worker.
func (k *kvCaller) feed(known chan struct{}) {
	defer close(k.fed)
	for entry := range k.watch.Updates() {
		if entry == nil { // all initial values have arrived
			close(known)
			continue
		}
		k.learn(entry)
	}
}

func (k *kvCaller) learn(entry jetstream.KeyValueEntry) {
	tasks, _ := strconv.ParseInt(string(entry.Value()), 10, 64)
	k.view.learn(entry.Key(), tasks, int64(entry.Revision()))
}

func (k *kvCaller) close() {
	_ = k.watch.Stop()
	<-k.fed
	k.conn.Close()
}

func (c *kv) claim(ctx context.Context, caller int, _ string) (int, error) {
	k := c.callers[caller]
	for tries := 1; ; tries++ {
		won, err := k.try(ctx)
		if won || err != nil {
			return tries, err
		}
	}
}

// try claims the least used worker, and reports whether the claim succeeded.
func (k *kvCaller) try(ctx context.Context) (bool, error) {
	w, err := k.view.pick(ctx)
	if err != nil {
		return false, err
	}
	defer k.view.release(w.key)
	revision, err := k.bucket.Update(ctx, w.key, strconv.AppendInt(nil, w.tasks+1, 10), uint64(w.revision))
	if err == nil {
		k.view.learn(w.key, w.tasks+1, int64(revision))
		return true, nil
	}
	if !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return false, err
	}
	// Another caller was faster. Read what it wrote, because the watch may be late.
	entry, err := k.bucket.Get(ctx, w.key)
	if err == nil {
		k.learn(entry)
	}
	return false, err
}

func (c *kv) disconnect() {
	for _, k := range c.callers {
		k.close()
	}
	c.callers = nil
}

func (c *kv) close() {
	c.disconnect()
	c.servers.close()
}
