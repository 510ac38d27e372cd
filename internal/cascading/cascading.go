// Package cascading reports a cluster to the cloud that assigns clients to one of
// several clusters. It implements OWT's cascading as of its manager 5.1.
//
// A report is a POST of JSON to <url>/<name>. OWT sends it once and ignores the
// outcome. Here reports wait in a bounded queue, are sent in order, and are retried
// with growing pauses until the cloud accepts or refuses them. Reports that still
// wait when the process ends are lost.
package cascading

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/pause"
)

const (
	// queueLimit is how many reports may wait, and sizeLimit how many bytes one may
	// have. When there are too many, the oldest is dropped.
	queueLimit = 1024
	sizeLimit  = 64 << 10
	// tryTime is the timeout of one try.
	tryTime = 5 * time.Second
	// firstPause is the pause after the first try, mostPause the longest one.
	firstPause = 500 * time.Millisecond
	mostPause  = 30 * time.Second
)

// Options configure a Cloud.
type Options struct {
	// URL is the base URL of the cloud, http or https.
	URL string
	// ClusterID and Region identify the cluster in every report.
	ClusterID, Region string
	// TLS is used for https; nil means the system's authorities. Verification cannot
	// be turned off.
	TLS *tls.Config
	// Logger logs reports that do not arrive, by name and without their content. Nil
	// means none.
	Logger *slog.Logger
}

// Cloud sends reports to a cloud. Its methods do not block, except Close.
type Cloud struct {
	opts   Options
	base   string
	client *http.Client
	log    *slog.Logger
	pause  func(ctx context.Context, d time.Duration) bool // in place of a timer, for tests

	mu      sync.Mutex
	queue   []report
	dropped uint64
	closing bool
	wake    mailbox.Signal

	cancel context.CancelFunc
	done   chan struct{}
}

// report is one POST.
type report struct {
	name string
	body []byte
}

// Open returns a Cloud, which connects with the first report.
func Open(o Options) (*Cloud, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("cascading: the URL must be http://host or https://host, with a path or without")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig, transport.MaxIdleConns = o.TLS, 1
	ctx, cancel := context.WithCancel(context.Background())
	c := &Cloud{
		opts: o, base: strings.TrimSuffix(u.String(), "/"), log: o.Logger.With("component", "cascading", "cloud", u.Host),
		client: &http.Client{
			Transport: transport, Timeout: tryTime,
			// A report may contain a key: it must not follow redirections.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		pause: pause.For, wake: mailbox.NewSignal(), cancel: cancel, done: make(chan struct{}),
	}
	go c.run(ctx)
	return c, nil
}

// identity is in every report.
type identity struct {
	ClusterID string `json:"clusterID"`
	Region    string `json:"region"`
}

func (c *Cloud) identity() identity { return identity{c.opts.ClusterID, c.opts.Region} }

// Capacity reports that the first worker of a purpose joined (there), or that the
// last one left.
func (c *Cloud) Capacity(purpose string, there bool) {
	action := "remove"
	if there {
		action = "add"
	}
	c.put("updateCapacity", withInfo{c.identity(), map[string]any{"action": action, "capacity": purpose}})
}

// Conference reports a room, and the room's token in its controller's request.
func (c *Cloud) Conference(room, token json.RawMessage) {
	c.put("updateConference", withInfo{c.identity(), map[string]any{"room": room, "token": token}})
}

// Register reports how to reach the cluster's REST interface: the members resturl,
// servicekey and serviceid of info.
func (c *Cloud) Register(info json.RawMessage) {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(info, &members) // OWT reports any value without the members
	about := map[string]any{}
	for _, name := range []string{"resturl", "servicekey", "serviceid"} {
		if value, ok := members[name]; ok {
			about[name] = value
		}
	}
	c.put("registerCluster", withInfo{c.identity(), about})
}

// Leave reports that a room has ended.
func (c *Cloud) Leave(room json.RawMessage) {
	c.put("leaveConference", struct {
		identity
		Conference json.RawMessage `json:"conferenceId,omitempty"`
	}{c.identity(), room})
}

// Unregister reports that the cluster ends.
func (c *Cloud) Unregister() { c.put("unregisterCluster", c.identity()) }

type withInfo struct {
	identity
	Info map[string]any `json:"info"`
}

func (c *Cloud) put(name string, body any) {
	encoded, err := json.Marshal(body)
	if err != nil || len(encoded) > sizeLimit {
		c.log.Warn("report not sent: not JSON, or too large", "report", name, "bytes", len(encoded), "limit", sizeLimit)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	if len(c.queue) >= queueLimit {
		c.queue, c.dropped = c.queue[1:], c.dropped+1
	}
	c.queue = append(c.queue, report{name, encoded})
	c.wake.Raise()
}

// next waits for a report. It returns false if there will be none.
func (c *Cloud) next(ctx context.Context) (report, bool) {
	for {
		c.mu.Lock()
		if len(c.queue) > 0 {
			r := c.queue[0]
			c.queue = c.queue[1:]
			c.mu.Unlock()
			return r, true
		}
		closing := c.closing
		c.mu.Unlock()
		if closing {
			return report{}, false
		}
		select {
		case <-c.wake:
		case <-ctx.Done():
			return report{}, false
		}
	}
}

func (c *Cloud) run(ctx context.Context) {
	defer close(c.done)
	for {
		r, ok := c.next(ctx)
		if !ok || !c.deliver(ctx, r) {
			return
		}
	}
}

// deliver sends a report until the cloud accepts or refuses it. It returns false if
// ctx ended.
func (c *Cloud) deliver(ctx context.Context, r report) bool {
	for wait := firstPause; ; wait = min(2*wait, mostPause) {
		final, err := c.send(ctx, r)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case final:
			c.log.Warn("report refused", "report", r.name, "err", err)
			return true
		}
		c.log.Warn("report failed: trying again", "report", r.name, "after", wait, "waiting", c.Waiting(), "err", err)
		c.pause(ctx, wait/2+rand.N(wait/2))
	}
}

// send makes one try. final means that another one would fail in the same way.
func (c *Cloud) send(ctx context.Context, r report) (final bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/"+r.name, bytes.NewReader(r.body))
	if err != nil {
		return true, err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := c.client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, which may hold a password
		}
		return false, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, sizeLimit)) // so that the connection can be used again
	switch code := answer.StatusCode; {
	case code < 300:
		return false, nil
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return false, fmt.Errorf("status %s", answer.Status)
	default:
		return true, fmt.Errorf("status %s", answer.Status)
	}
}

// Waiting returns how many reports wait to be sent.
func (c *Cloud) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// Dropped returns how many reports were dropped because too many waited.
func (c *Cloud) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Close sends the waiting reports until ctx ends, and returns.
func (c *Cloud) Close(ctx context.Context) {
	c.mu.Lock()
	c.closing = true
	c.wake.Raise()
	c.mu.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
		c.cancel()
		<-c.done
	}
	c.cancel()
	c.client.CloseIdleConnections()
}
