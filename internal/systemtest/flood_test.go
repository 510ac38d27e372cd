package systemtest

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/httpapi"
	"github.com/muster-fleet/muster/internal/systemtest/cluster"
)

var (
	floodTime  = flag.Duration("flood", 2*time.Second, "how long each flood of TestFlood lasts")
	plainToo   = flag.Bool("plain", false, "flood the least server on RabbitMQ, too")
	floodKinds = flag.String("floods", "schedules,bodies,garbage,silence,requests", "which floods those are")
)

const (
	honestWorkers = 100
	honestCallers = 20
	// honestPause is between two calls of a caller.
	honestPause = 50 * time.Millisecond
	// rssBound is what a manager takes at most, the NATS server in it included. Half
	// of it is for a garbage collector that gets no processor.
	rssBound = 3 << 29
)

// flooded is one manager as a process, with honest workers and callers.
type flooded struct {
	*rig
	manager *cluster.Process
	broker  int      // its process id, 0 where it is in the manager
	ports   []string // where raft, metrics, HTTP, and NATS listen
	tokens  []string // of an honest caller over HTTP, and of one who floods
	crew    *cluster.Crew
	callers []*client.Client
}

// Beside each flood no worker is evicted, every honest call is answered, the
// memory of the manager is bounded, and the leader stays.
func TestFlood(t *testing.T) {
	t.Run("nats", func(t *testing.T) { testFloods(t, "", 0) })
	t.Run("rabbitmq", func(t *testing.T) {
		broker := rabbit.Broker(t)
		testFloods(t, broker.URL(), broker.PID())
	})
}

// What RabbitMQ alone makes of a flood: honest callers of the least server.
func TestFloodOfAPlainServer(t *testing.T) {
	if !*plainToo {
		t.Skip("a measurement: -plain")
	}
	broker := rabbit.Broker(t)
	for _, kind := range strings.Split(*floodKinds, ",") {
		if kind == "silence" || kind == "requests" {
			continue // they are not for the queue
		}
		t.Run(kind, func(t *testing.T) {
			f := &flooded{rig: &rig{T: t, ctx: t.Context(), url: broker.URL(), name: fmt.Sprintf("plain-%d", rigs.Add(1))}, crew: cluster.NewCrew()}
			t.Cleanup(f.crew.Close)
			f.tokens = []string{"", ""}
			f.ports = []string{"", "", ""}
			server := f.flood(plainServer)
			defer server.end()
			f.manager, f.broker = server.process, broker.PID()
			var conns []bus.Conn
			for range honestCallers {
				conns = append(conns, f.dial())
			}
			ask := func(caller, n int) error {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				_, err := conns[caller].Call(ctx, f.name, "schedule", n)
				return err
			}
			before := f.measure(*floodTime, ask)
			flood := f.flood(kind)
			begin := f.use(flood.process.PID)
			during := f.measure(*floodTime, ask)
			used := f.use(flood.process.PID)
			flood.end()
			t.Logf("%-10s p99 %v alone, %v beside it, %.1f times that; %s", kind, p99(before), p99(during), float64(p99(during))/float64(p99(before)), used.since(begin))
		})
	}
}

// testFloods has a manager and a queue of its own for each flood: what one leaves
// in RabbitMQ's queue would be a part of the next.
func testFloods(t *testing.T, url string, broker int) {
	for _, kind := range strings.Split(*floodKinds, ",") {
		t.Run(kind, func(t *testing.T) { testFlood(t, kind, url, broker) })
	}
}

func testFlood(t *testing.T, kind, url string, broker int) {
	f := startFlooded(t, url)
	f.broker = broker
	begin := f.use(0)
	before := f.measure(*floodTime, f.placeHonestly)
	t.Logf("%-10s %6d calls, p99 %v; %s", "alone", len(before), p99(before), f.use(0).since(begin))
	roles := f.output.count(roleChanged)
	if roles == 0 {
		t.Fatalf("the manager leads, and printed no %s", roleChanged)
	}
	flood := f.flood(kind)
	if kind == "requests" || kind == "silence" {
		f.asksOverHTTP(kind)
	}
	begin, sent := f.use(flood.process.PID), flood.count()
	during := f.measure(*floodTime, f.placeHonestly)
	used := f.use(flood.process.PID)
	rate := float64(flood.count()-sent) / used.at.Sub(begin.at).Seconds()
	flood.end()
	t.Logf("%-10s %6d calls, p99 %v, %.1f times that before; flood of %.0f a second; manager's memory at most %d MiB; %s",
		kind, len(during), p99(during), float64(p99(during))/float64(p99(before)), rate, f.memory("VmHWM")>>20, used.since(begin))
	if rate < 1 {
		t.Error("there was no flood")
	}
	if f.output.count(workerLeft) > 0 {
		t.Error("a worker was evicted")
	}
	if now := f.output.count(roleChanged); now != roles {
		t.Error("the leader changed")
	}
	if rss := f.memory("VmHWM"); rss > rssBound {
		t.Errorf("the manager takes %d MiB", rss>>20)
	}
	ids, err := f.client.WorkerIDs(f.ctx, purpose)
	if err != nil || len(ids) != honestWorkers {
		t.Errorf("the manager knows %d workers of %d: %v", len(ids), honestWorkers, err)
	}
	f.keptAll()
}

// startFlooded runs a manager on the queue, or on one of its own.
func startFlooded(t *testing.T, url string) *flooded {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience+20**floodTime)
	t.Cleanup(cancel)
	f := &flooded{rig: &rig{T: t, ctx: ctx, url: url, name: fmt.Sprintf("flood-%d", rigs.Add(1))}, crew: cluster.NewCrew()}
	t.Cleanup(f.crew.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the manager printed at last:\n%s", f.output.tails())
		}
	})
	f.launch(url == "")
	f.awaitManager()
	f.fleet = f.joinFleet(honestWorkers, f.url)
	f.awaitWorkers(honestWorkers)
	for range honestCallers {
		f.callers = append(f.callers, client.New(f.dial(), client.Options{Cluster: f.name, Timeout: patience}))
	}
	return f
}

// launch starts the manager.
func (f *flooded) launch(embedded bool) {
	for range 4 {
		addr, err := cluster.FreeAddr()
		f.must(err)
		f.ports = append(f.ports, addr)
	}
	args := []string{"manager", "-c", "/dev/stdin", "--cluster", f.name,
		"--raft", f.ports[0], "--peers", f.ports[0], "--metrics", f.ports[1],
		"--http", f.ports[2], "--http-tokens", f.writeTokens()}
	env := append(os.Environ(), "MUSTER_RAFT_SECRET="+strings.Repeat("0123456789abcdef", 4))
	if embedded {
		args = append(args, "--listen", f.ports[3])
		f.url = "nats://" + f.ports[3]
	} else {
		env = append(env, "MUSTER_BUS_URL="+f.url)
		f.ports = f.ports[:3]
	}
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout = env, strings.NewReader(config), f.output.of("manager")
	cmd.Stderr = cmd.Stdout
	var err error
	f.manager, err = f.crew.Start(cmd)
	f.must(err)
}

// writeTokens makes the file of the two callers over HTTP.
func (f *flooded) writeTokens() string {
	text := ""
	for _, name := range []string{"honest", "flood"} {
		token, line, err := httpapi.NewToken(name, httpapi.Viewer)
		f.must(err)
		f.tokens = append(f.tokens, token)
		text += line
	}
	path := filepath.Join(f.TempDir(), "tokens")
	f.must(os.WriteFile(path, []byte(text), 0o600))
	return path
}

// asksOverHTTP makes requests of the honest caller over HTTP.
func (f *flooded) asksOverHTTP(kind string) {
	f.Helper()
	for range 20 {
		if status := f.get(f.tokens[0]); status != http.StatusOK {
			f.Errorf("%s: an honest request over HTTP: %d", kind, status)
		}
	}
}

func (f *flooded) get(token string) int {
	f.Helper()
	req, err := http.NewRequestWithContext(f.ctx, http.MethodGet, "http://"+f.ports[2]+"/v1/workers?limit=10", nil)
	f.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	f.must(err)
	_ = res.Body.Close()
	return res.StatusCode
}

// awaitManager waits until the manager answers.
func (f *flooded) awaitManager() {
	f.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for f.conn == nil {
		conn, err := connect.Open(f.ctx, bus.Options{URL: f.url})
		if err == nil {
			f.conn = conn
			f.Cleanup(func() { _ = conn.Close() })
			break
		}
		select {
		case <-again.C:
		case <-f.manager.Gone:
			f.Fatalf("the manager ended: %v", err)
		case <-f.ctx.Done():
			f.Fatal(err)
		}
	}
	f.client = client.New(f.conn, client.Options{Cluster: f.name, Timeout: patience})
	_, err := f.client.Status(f.ctx)
	f.must(err)
}

// placeHonestly makes a call of an honest caller.
func (f *flooded) placeHonestly(caller, n int) error {
	task := fmt.Sprintf("honest-%d-%d", caller, n)
	_, err := f.callers[caller].Schedule(f.ctx, client.Request{Purpose: purpose, Task: task, Reserve: time.Second})
	if err != nil {
		why, _ := f.client.Why(f.ctx, purpose, task)
		err = fmt.Errorf("%w: %+v", err, why)
	}
	return err
}

// measure has the honest callers ask for that long, and returns how long each
// call took.
func (f *flooded) measure(long time.Duration, ask func(caller, n int) error) (took []time.Duration) {
	f.Helper()
	var mu sync.Mutex
	var calling sync.WaitGroup
	end := time.Now().Add(long)
	for i := range honestCallers {
		calling.Go(func() {
			for n := 0; n == 0 || time.Now().Before(end); n++ {
				begin := time.Now()
				err := ask(i, n)
				mu.Lock()
				took = append(took, time.Since(begin))
				mu.Unlock()
				if err != nil {
					f.Errorf("an honest call was not answered: %v", err)
					return
				}
				time.Sleep(honestPause)
			}
		})
	}
	calling.Wait()
	return took
}

func p99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100].Round(10 * time.Microsecond)
}

// flood is one that is under way, in a process of its own.
type flood struct {
	process *cluster.Process
	crew    *cluster.Crew
	begun   chan struct{}

	mu   sync.Mutex
	once sync.Once
	sent int // so far
}

// flood begins one, and returns when it is under way.
func (f *flooded) flood(kind string) *flood {
	f.Helper()
	self, err := os.Executable()
	f.must(err)
	fl := &flood{crew: cluster.NewCrew(), begun: make(chan struct{})}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), floodVariable+"="+kind, "FLOOD_URL="+f.url, "FLOOD_NAME="+f.name, "FLOOD_PORTS="+strings.Join(f.ports, ","),
		"FLOOD_HTTP=http://"+f.ports[2]+"/v1/workers?limit=10", "FLOOD_TOKEN="+f.tokens[1])
	cmd.Stdout, cmd.Stderr = fl, os.Stderr
	fl.process, err = fl.crew.Start(cmd)
	f.must(err)
	select {
	case <-fl.begun:
	case <-fl.process.Gone:
		f.Fatalf("the flood of %s did not begin", kind)
	case <-f.ctx.Done():
		f.Fatal(f.ctx.Err())
	}
	return fl
}

func (fl *flood) end() {
	fl.process.Kill()
	fl.crew.Close()
}

// Write takes what the process prints: how much it has sent.
func (fl *flood) Write(p []byte) (int, error) {
	lines := strings.Fields(string(p))
	n, err := strconv.Atoi(lines[len(lines)-1])
	if err == nil {
		fl.mu.Lock()
		fl.sent = n
		fl.mu.Unlock()
		fl.once.Do(func() { close(fl.begun) })
	}
	return len(p), nil
}

func (fl *flood) count() int {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.sent
}

// use reads how much processors are used.
func (f *flooded) use(flood int) usage {
	pids := map[string]int{"manager": f.manager.PID, "callers and workers": os.Getpid()}
	if flood > 0 {
		pids["flood"] = flood
	}
	if f.broker > 0 {
		pids["broker"] = f.broker
	}
	return use(pids)
}

// memory reads a line of the manager's /proc/PID/status, in bytes.
func (f *flooded) memory(line string) int {
	f.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.manager.PID))
	f.must(err)
	_, rest, _ := bytes.Cut(status, []byte(line+":"))
	kib, err := strconv.Atoi(strings.Fields(string(rest))[0])
	f.must(err)
	return kib << 10
}
