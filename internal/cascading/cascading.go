// Package cascading reports a cluster to the cloud that hands clients to one of
// several clusters: OWT's cascading, as its manager of 5.1 and later does it.
//
// A report is a POST of JSON to <url>/<name>. OWT sends it once and ignores the
// outcome; here reports wait in a queue of bounded length, go out in order, and
// are sent again with growing pauses while the cloud does not take them. What
// waits when the process ends is lost.
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
)

const (
	// queueLimit is how many reports wait, and sizeLimit how many bytes one may
	// have. The oldest goes when there are too many.
	queueLimit = 1024
	sizeLimit  = 64 << 10
	// tryTime bounds one try.
	tryTime = 5 * time.Second
	// firstPause is between the first two tries, mostPause between later ones.
	firstPause = 500 * time.Millisecond
	mostPause  = 30 * time.Second
)

// Options say where the cloud is and who reports.
type Options struct {
	// URL is the cloud's, http or https; reports go below it.
	URL string
	// ClusterID and Region are in every report.
	ClusterID, Region string
	// TLS is how an https cloud is verified; nil means by the system's
	// authorities. There is no way to leave the verification out.
	TLS *tls.Config
	// Logger hears of reports that do not arrive, by name and without their
	// content. Nil means none.
	Logger *slog.Logger
}

// Cloud is where reports go. Its methods do not wait.
type Cloud struct {
	opts   Options
	base   string
	client *http.Client
	log    *slog.Logger
	pause  func(ctx context.Context, d time.Duration) // in place of a timer, for tests

	mu      sync.Mutex
	queue   []report
	dropped uint64
	closing bool
	wake    chan struct{}

	cancel context.CancelFunc
	done   chan struct{}
}

// report is one POST.
type report struct {
	name string
	body []byte
}

// Open begins to send reports to the cloud. It does not connect yet.
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
			// A report may hold a key: it goes nowhere but to the cloud.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		pause: pause, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
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

// Capacity reports that the first worker of a purpose joined, or that the last
// one left.
func (c *Cloud) Capacity(purpose string, there bool) {
	action := "remove"
	if there {
		action = "add"
	}
	c.put("updateCapacity", withInfo{c.identity(), map[string]any{"action": action, "capacity": purpose}})
}

// Conference reports a room and the token of it that its controller asked with.
func (c *Cloud) Conference(room, token json.RawMessage) {
	c.put("updateConference", withInfo{c.identity(), map[string]any{"room": room, "token": token}})
}

// Register reports how the cluster's REST interface is reached: of info, the
// members resturl, servicekey and serviceid.
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

// Leave reports that a room is over.
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
		c.log.Warn("a report to the cloud is not sent: it is no JSON, or too large", "report", name, "bytes", len(encoded), "limit", sizeLimit)
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
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// next waits for a report; false means that there is none and will be none.
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

// deliver sends a report until the cloud takes or refuses it. It returns false
// when ctx is over.
func (c *Cloud) deliver(ctx context.Context, r report) bool {
	for wait := firstPause; ; wait = min(2*wait, mostPause) {
		final, err := c.send(ctx, r)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case final:
			c.log.Warn("the cloud refuses a report", "report", r.name, "err", err)
			return true
		}
		c.log.Warn("a report does not reach the cloud: it is sent again", "report", r.name, "after", wait, "waiting", c.Waiting(), "err", err)
		c.pause(ctx, wait/2+rand.N(wait/2))
	}
}

// send is one try. final tells that another one would end alike.
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

// Waiting is how many reports wait to be sent.
func (c *Cloud) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// Dropped is how many reports went because too many waited.
func (c *Cloud) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Close sends what waits for as long as ctx allows, and ends.
func (c *Cloud) Close(ctx context.Context) {
	c.mu.Lock()
	c.closing = true
	select {
	case c.wake <- struct{}{}:
	default:
	}
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

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
