package cascading

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cloud is a real HTTPS server that receives reports.
type cloud struct {
	*httptest.Server
	got chan string
	mu  sync.Mutex
	// answers are status codes in the order of requests; 200 afterwards.
	answers []int
	hold    chan struct{} // if set, requests wait until it is closed
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{got: make(chan string, 4096)}
	c.Server = httptest.NewTLSServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	code, hold := http.StatusOK, c.hold
	if len(c.answers) > 0 {
		code, c.answers = c.answers[0], c.answers[1:]
	}
	c.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	c.got <- fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"), body)
	w.WriteHeader(code)
}

func (c *cloud) trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(c.Certificate())
	return &tls.Config{RootCAs: pool}
}

func open(t *testing.T, c *cloud, o Options) *Cloud {
	t.Helper()
	if o.URL == "" {
		o.URL = c.URL + "/base"
	}
	o.ClusterID, o.Region = "bj-1", "BJ"
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.Close(ctx)
	})
	return r
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }

// The five reports equal OWT's, byte for byte, and arrive in order.
func TestReportsAreOWTs(t *testing.T) {
	c := newCloud(t)
	r := open(t, c, Options{TLS: c.trust()})
	r.Capacity("webrtc", true)
	r.Conference(raw(`"room1"`), raw(`"tök1"`))
	r.Register(raw(`{"resturl":"https://1.2.3.4:3000","servicekey":"k","serviceid":"s","other":1}`))
	r.Leave(raw(`"room1"`))
	r.Capacity("webrtc", false)
	r.Register(nil)
	r.Leave(nil)
	r.Unregister()
	r.Close(t.Context())
	close(c.got)
	var got []string
	for line := range c.got {
		got = append(got, strings.TrimPrefix(line, "POST /base/"))
	}
	const id = `"clusterID":"bj-1","region":"BJ"`
	want := []string{
		`updateCapacity application/json {` + id + `,"info":{"action":"add","capacity":"webrtc"}}`,
		`updateConference application/json {` + id + `,"info":{"room":"room1","token":"tök1"}}`,
		`registerCluster application/json {` + id + `,"info":{"resturl":"https://1.2.3.4:3000","serviceid":"s","servicekey":"k"}}`,
		`leaveConference application/json {` + id + `,"conferenceId":"room1"}`,
		`updateCapacity application/json {` + id + `,"info":{"action":"remove","capacity":"webrtc"}}`,
		`registerCluster application/json {` + id + `,"info":{}}`,
		`leaveConference application/json {` + id + `}`,
		`unregisterCluster application/json {` + id + `}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("want -, got +", diff)
	}
}

// tries returns a channel that receives each pause instead of waiting.
func tries(r *Cloud) chan time.Duration {
	paused := make(chan time.Duration)
	r.pause = func(ctx context.Context, d time.Duration) bool {
		select {
		case paused <- d:
		case <-ctx.Done():
		}
		return ctx.Err() == nil
	}
	return paused
}

// A report that fails is sent again, with growing pauses, before later reports. A
// refused one is not.
func TestFailedReportsAreSentAgain(t *testing.T) {
	c := newCloud(t)
	c.answers = []int{500, 503, 429, 200, 404}
	var log bytes.Buffer
	r := open(t, c, Options{TLS: c.trust(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	paused := tries(r)
	r.Register(raw(`{"servicekey":"swordfish"}`))
	last := time.Duration(0)
	for range 3 {
		if d := <-paused; d <= last/2 {
			t.Errorf("a pause of %v after one of %v", d, last)
		} else {
			last = d
		}
	}
	r.Leave(raw(`1`))
	r.Leave(raw(`2`))
	r.Close(t.Context())
	close(c.got)
	var got []string
	for line := range c.got {
		got = append(got, strings.Fields(line)[1])
	}
	if want := strings.Repeat("/base/registerCluster ", 4) + "/base/leaveConference /base/leaveConference"; strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
	if text := log.String(); strings.Contains(text, "swordfish") || !strings.Contains(text, "404") || !strings.Contains(text, "503") {
		t.Errorf("the log: %s", text)
	}
}

// A server with a certificate of another authority, or for another name, receives
// nothing.
func TestCertificatesAreVerified(t *testing.T) {
	c := newCloud(t)
	other := c.trust()
	other.ServerName = "elsewhere.example"
	for name, o := range map[string]Options{"unknown authority": {}, "another name": {TLS: other}} {
		var log bytes.Buffer
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		r := open(t, c, o)
		paused := tries(r)
		r.Register(raw(`{"servicekey":"swordfish"}`))
		<-paused
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.Close(ctx)
		if len(c.got) != 0 || !strings.Contains(log.String(), "certificate") || strings.Contains(log.String(), "swordfish") {
			t.Errorf("%s: %d arrived, the log: %s", name, len(c.got), log.String())
		}
	}
}

// A cloud that is slow or down blocks nothing: the queue is bounded, it keeps the
// newest reports, and Close does not wait for it.
func TestSlowAndDownClouds(t *testing.T) {
	slow, down := newCloud(t), newCloud(t)
	slow.hold = make(chan struct{})
	down.Close()
	for name, c := range map[string]*cloud{"slow": slow, "down": down} {
		r := open(t, c, Options{TLS: c.trust()})
		for range 3 * queueLimit {
			r.Leave(raw(`"room"`))
		}
		if n := r.Waiting(); n > queueLimit || r.Dropped() < queueLimit {
			t.Errorf("%s: %d wait, %d dropped", name, n, r.Dropped())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.Close(ctx)
		r.Leave(nil) // no effect after Close
	}
	close(slow.hold)
}

// A report may contain a key: it does not follow redirections.
func TestRedirectionsAreNotFollowed(t *testing.T) {
	c := newCloud(t)
	c.answers = []int{http.StatusTemporaryRedirect}
	r := open(t, c, Options{TLS: c.trust()})
	r.Register(raw(`{"servicekey":"k"}`))
	r.Close(t.Context())
	if len(c.got) != 1 {
		t.Errorf("%d requests", len(c.got))
	}
}

func TestOpenRefusesOtherURLs(t *testing.T) {
	for _, u := range []string{"", "none", "ftp://host", "https://", "https://u:secret@ho st"} {
		if _, err := Open(Options{URL: u}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", u, err)
		}
	}
}
