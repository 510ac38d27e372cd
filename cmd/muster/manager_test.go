package main

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/client"
)

// placeAtOnce is a manager without an initial wait.
const placeAtOnce = "[manager]\ninitial_time = 0\n"

func beginManager(t *testing.T, args ...string) (p *started, url string) {
	t.Helper()
	p = begin(t, append([]string{"manager"}, args...)...)
	return p, p.await(`msg="manager takes requests".* url=(\S+)`)[1]
}

// free waits until the workers can be given tasks.
func free(t *testing.T, url string, ids ...string) {
	t.Helper()
	eventually(t, "the workers are not ready", func() bool {
		var started []child
		for _, id := range ids {
			started = append(started, child{childSpec: childSpec{name: id}})
		}
		return allReady(decoded[[]muster.Worker](t, "workers", "--url", url), started)
	})
}

func beginWorker(t *testing.T, url, id string, args ...string) *started {
	t.Helper()
	p := begin(t, append([]string{"worker", "--url", url, "--id", id, "--load", "memory", "--max-load", "1"}, args...)...)
	p.await("(?m)^" + id + "$")
	return p
}

func strategyOf(t *testing.T, url, purpose, task string) muster.Strategy {
	t.Helper()
	done(t, "schedule", purpose, task, "--url", url)
	return decoded[muster.Explanation](t, "why", purpose, task, "--url", url).Strategy
}

func TestHangupReloads(t *testing.T) {
	file := writeConfig(t, placeAtOnce)
	p, url := beginManager(t, "-c", file, "--listen", "127.0.0.1:0")
	beginWorker(t, url, "w-1", "--purpose", "webrtc")
	free(t, url, "w-1")
	if got := strategyOf(t, url, "webrtc", "before"); got != muster.LastUsed {
		t.Errorf("strategy %s, want %s", got, muster.LastUsed)
	}

	rewrite(t, file, placeAtOnce+"name = \"other\"\n[strategy]\nwebrtc = \"least-used\"\n")
	p.signal(syscall.SIGHUP)
	p.await(`msg="setting changed" key=strategy.webrtc from=last-used to=least-used`)
	p.await(`msg="setting requires a restart" key=manager.name`)
	p.await(`msg="configuration reloaded" changed=1 need_restart=1`)
	if got := strategyOf(t, url, "webrtc", "after"); got != muster.LeastUsed {
		t.Errorf("strategy %s, want %s", got, muster.LeastUsed)
	}

	rewrite(t, file, "[strategy]\nwebrtc = \"nosuch\"\n")
	p.signal(syscall.SIGHUP)
	p.await(`msg="configuration not reloaded: everything stays as it was" err=.*nosuch`)
	if got := strategyOf(t, url, "webrtc", "broken"); got != muster.LeastUsed {
		t.Errorf("strategy %s after a broken file, want %s", got, muster.LeastUsed)
	}
	p.signal(syscall.SIGTERM)
	if status := p.ends(patience); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
}

func TestInitialTime(t *testing.T) {
	file := writeConfig(t, "[manager]\ninitial_time = \"1h\"\n")
	_, url := beginManager(t, "-c", file, "--listen", "127.0.0.1:0")
	beginWorker(t, url, "w-1", "--purpose", "webrtc")
	contains(t, refusedWith(t, 1, "schedule", "webrtc", "x", "--url", url).stderr, "muster: cluster manager is not ready.\n")

	up := beginUp(t, "-c", file, "--workers", "1")
	contains(t, refusedWith(t, 1, "schedule", "webrtc", "x", "--url", up.url).stderr, "cluster manager is not ready.")
}

func TestNoManager(t *testing.T) {
	_, url := beginManager(t, "--listen", "127.0.0.1:0")
	got := refusedWith(t, 1, "workers", "--url", url, "--cluster", "other", "--timeout", "300ms")
	contains(t, got.stderr, `no manager serves the cluster "other" at `+url, "--cluster")
}

func TestSecondManagerIsRefused(t *testing.T) {
	_, url := beginManager(t, "--listen", "127.0.0.1:0")
	got := refusedWith(t, 1, "manager", "--url", url)
	contains(t, got.stderr, "another manager uses this cluster's queue")
	// Another cluster may share the message queue.
	_, other := beginManager(t, "--url", url, "--cluster", "other")
	if other != url {
		t.Errorf("url %s, want %s", other, url)
	}
}

func TestUserAndPassword(t *testing.T) {
	file := writeConfig(t, placeAtOnce+"[bus]\nuser = \"me\"\npassword = \"topsecret\"\n")
	p, url := beginManager(t, "-c", file, "--listen", "127.0.0.1:0", "--log-level", "debug", "--log-format", "text")
	contains(t, done(t, "workers", "-c", file, "--url", url), "no workers")
	contains(t, refusedWith(t, 1, "workers", "--url", url).stderr, "user and password")
	p.signal(syscall.SIGINT)
	p.ends(patience)
	if strings.Contains(p.out.String(), "topsecret") {
		t.Error("the password is in the log")
	}
	up := beginUp(t, "-c", file)
	contains(t, done(t, "workers", "-c", file, "--url", up.url), up.workers["video"].id)
}

func TestWorkerIsWhatTheFlagsSay(t *testing.T) {
	file := writeConfig(t, placeAtOnce+"[labels]\nzone = \"a\"\ngpu = \"t4\"\n")
	_, url := beginManager(t, "-c", file, "--listen", "127.0.0.1:0")
	w := beginWorker(t, url, "v@1.2", "-c", file, "--purpose", "video", "--encode", "vp8,h264", "--decode", "vp8",
		"--isp", "telco", "--region", "eu", "--region", "us", "--label", "gpu=a100", "--max-tasks", "1")
	free(t, url, "v@1.2")
	contains(t, done(t, "workers", "--url", url),
		"isp telco; region eu,us; encode vp8,h264; decode vp8; gpu=a100; zone=a", "0, of 1")
	done(t, "schedule", "video", "a", "--url", url, "--isp", "telco", "--preference", `{"labels":{"gpu":"a100"}}`)
	contains(t, refusedWith(t, 1, "schedule", "video", "b", "--url", url, "--isp", "telco").stderr, "slots: 1 of 1 workers")
	contains(t, done(t, "workers", "--url", url), "1 reserved, of 1")

	pong := ask(t, url, "v@1.2", "ping")
	var answer struct {
		Worker string
		PID    int
	}
	if err := json.Unmarshal(pong, &answer); err != nil || answer.Worker != "v@1.2" || answer.PID != w.cmd.Process.Pid {
		t.Errorf("ping is answered %s, %v", pong, err)
	}

	w.signal(syscall.SIGTERM)
	if status := w.ends(patience); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
	contains(t, done(t, "workers", "--url", url), "no workers")
}

func ask(t *testing.T, url, worker, method string) json.RawMessage {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := connect.Open(ctx, bus.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answer, err := client.New(conn, client.Options{}).Call(ctx, worker, method)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestRabbitMQ(t *testing.T) {
	host, port, err := net.SplitHostPort(rabbit.Broker(t).Addr())
	if err != nil {
		t.Fatal(err)
	}
	url := "amqp://" + net.JoinHostPort(host, port)
	file := writeConfig(t, placeAtOnce+"[strategy]\nwebrtc = \"least-used\"\n[rabbit]\nhost = \""+host+"\"\nport = "+port+"\n")
	p, shown := beginManager(t, "-c", file)
	contains(t, shown, url)
	w := beginWorker(t, url, "webrtc-1@10.0.0.1", "--purpose", "webrtc")
	free(t, url, "webrtc-1@10.0.0.1")
	for range 2 {
		contains(t, done(t, "schedule", "webrtc", "room", "--url", url), "is on webrtc-1@10.0.0.1")
	}
	contains(t, done(t, "tasks", "-c", file), "room")
	contains(t, refusedWith(t, 1, "workers", "--url", url, "--cluster", "other").stderr, `no manager serves the cluster "other"`)
	for _, one := range []*started{w, p} {
		one.signal(syscall.SIGTERM)
		if status := one.ends(patience); status != 0 {
			t.Errorf("status %d, want 0", status)
		}
	}

	up := begin(t, "up", "-c", file, "--media=false", "--load", "memory")
	up.await("Ctrl-C ends")
	contains(t, done(t, "workers", "-c", file), "webrtc-", "video-", "recording-")
	up.signal(syscall.SIGINT)
	if status := up.ends(patience); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
}
