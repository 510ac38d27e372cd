package peers

import (
	"context"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// etcd assigns tasks to workers by transactions: if the worker's key is still at
// the revision that the caller knows, the worker gets one more task.
type etcd struct {
	servers *servers
	addrs   []string
	keys    []string
	callers []*etcdCaller
}

type etcdCaller struct {
	client *clientv3.Client
	view   *view
	stop   context.CancelFunc
	fed    chan struct{} // closed when the watch has ended
}

const etcdPrefix = "worker-"

func startEtcd(ctx context.Context, o Options, n int) (contender, error) {
	s, err := newServers(o.Disk)
	if err != nil {
		return nil, err
	}
	c := &etcd{servers: s, keys: workerKeys(o.Workers)}
	if c.addrs, err = s.startEtcd(o.Etcd, n); err == nil {
		ctx, cancel := context.WithTimeout(ctx, readyTime)
		defer cancel()
		err = eventually(ctx, c.fill)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// open makes a client. Its library logs each lost connection unless it is
// given a logger that does not.
func (c *etcd) open() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: c.addrs, DialTimeout: time.Second, Logger: zap.NewNop()})
}

// fill makes a key for each worker.
func (c *etcd) fill(ctx context.Context) error {
	client, err := c.open()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, key := range c.keys {
		if _, err := client.Put(ctx, key, "0"); err != nil {
			return err
		}
	}
	return nil
}

func (c *etcd) connect(ctx context.Context, callers int) error {
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

func (c *etcd) dial(ctx context.Context) (*etcdCaller, error) {
	client, err := c.open()
	if err != nil {
		return nil, err
	}
	caller := &etcdCaller{client: client, view: newView(c.keys), fed: make(chan struct{})}
	all, err := client.Get(ctx, etcdPrefix, clientv3.WithPrefix())
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	for _, kv := range all.Kvs {
		caller.learn(string(kv.Key), kv.Value, kv.ModRevision)
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	caller.stop = stop
	updates := client.Watch(watching, etcdPrefix, clientv3.WithPrefix(), clientv3.WithRev(all.Header.Revision+1))
	go caller.feed(updates)
	return caller, nil
}

func (e *etcdCaller) feed(updates clientv3.WatchChan) {
	defer close(e.fed)
	for update := range updates {
		for _, event := range update.Events {
			e.learn(string(event.Kv.Key), event.Kv.Value, event.Kv.ModRevision)
		}
	}
}

func (e *etcdCaller) learn(key string, value []byte, revision int64) {
	tasks, _ := strconv.ParseInt(string(value), 10, 64)
	e.view.learn(key, tasks, revision)
}

func (e *etcdCaller) close() {
	e.stop()
	<-e.fed
	_ = e.client.Close()
}

func (c *etcd) claim(ctx context.Context, caller int, _ string) (int, error) {
	e := c.callers[caller]
	for tries := 1; ; tries++ {
		won, err := e.try(ctx)
		if won || err != nil {
			return tries, err
		}
	}
}

// try claims the least used worker, and reports whether the claim succeeded. A
// transaction that fails returns the current value.
func (e *etcdCaller) try(ctx context.Context) (bool, error) {
	w, err := e.view.pick(ctx)
	if err != nil {
		return false, err
	}
	defer e.view.release(w.key)
	answer, err := e.client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(w.key), "=", w.revision)).
		Then(clientv3.OpPut(w.key, strconv.FormatInt(w.tasks+1, 10))).
		Else(clientv3.OpGet(w.key)).
		Commit()
	switch {
	case err != nil:
		return false, err
	case answer.Succeeded:
		e.view.learn(w.key, w.tasks+1, answer.Header.Revision)
		return true, nil
	}
	for _, kv := range answer.Responses[0].GetResponseRange().Kvs {
		e.learn(string(kv.Key), kv.Value, kv.ModRevision)
	}
	return false, nil
}

func (c *etcd) disconnect() {
	for _, e := range c.callers {
		e.close()
	}
	c.callers = nil
}

func (c *etcd) close() {
	c.disconnect()
	c.servers.close()
}
