package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/worker"
)

// scrape reads the metrics of a manager over HTTP, as Prometheus does, and
// returns the lines by what is before their value.
func scrape(t *testing.T, url string) map[string]string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", url, resp.Status, err, body)
	}
	problems, err := promlint.New(strings.NewReader(string(body))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "muster_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	lines := map[string]string{}
	for line := range strings.Lines(string(body)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "} "); ok {
			lines[name+"}"] = value
		} else if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			lines[name] = value
		}
	}
	return lines
}

func TestMetrics(t *testing.T) {
	file := writeConfig(t, placeAtOnce)
	p := begin(t, "manager", "-c", file, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	metrics := p.await(`msg="serving metrics".* url=(\S+)`)[1]
	url := p.await(`msg="manager takes requests".* url=(\S+)`)[1]
	beginWorker(t, url, "w-1", "--purpose", "webrtc")
	free(t, url, "w-1")
	done(t, "schedule", "webrtc", "a", "--url", url)
	done(t, "schedule", "webrtc", "b", "--url", url)
	refusedWith(t, 1, "schedule", "webrtc", "c", "--url", url, "--preference", `{"labels":{"gpu":"none"}}`)
	refusedWith(t, 1, "schedule", "made-up", "d", "--url", url)

	got := scrape(t, metrics)
	for name, want := range map[string]string{
		`muster_placements_total{purpose="webrtc",reason="",result="placed"}`:             "2",
		`muster_placements_total{purpose="webrtc",reason="no-match",result="refused"}`:    "1",
		`muster_placements_total{purpose="other",reason="no-scheduler",result="refused"}`: "1",
		`muster_decision_seconds_count`:                                                   "4",
		`muster_workers{purpose="webrtc",state="free"}`:                                   "1",
		`muster_workers{purpose="webrtc",state="full"}`:                                   "0",
		`muster_tasks{purpose="webrtc",state="reserved"}`:                                 "2",
		`muster_role{role="leader"}`:                                                      "1",
		`muster_role{role="candidate"}`:                                                   "0",
		`muster_evictions_state{state="normal"}`:                                          "1",
		`muster_evictions_state{state="no-quorum"}`:                                       "0",
		`muster_in_service`:                                                               "1",
		`muster_queue_connected`:                                                          "1",
		`muster_stale_seconds`:                                                            "0",
		`muster_stale_answers_total`:                                                      "0",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %s", name, got[name], want)
		}
	}
	isDocumented(t, got)
	for _, name := range []string{`muster_reported_load_ratio_count{purpose="webrtc"}`, "muster_batch_requests_count", "go_goroutines"} {
		if v := got[name]; v == "" || v == "0" {
			t.Errorf("%s is %q", name, v)
		}
	}
	contains(t, refusedWith(t, 1, "manager", "--url", url, "--cluster", "other", "--metrics", strings.TrimSuffix(strings.TrimPrefix(metrics, "http://"), "/metrics")).stderr,
		"choose another metrics.addr")
}

// isDocumented holds what was scraped to the page of metrics.
func isDocumented(t *testing.T, scraped map[string]string) {
	t.Helper()
	manual, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range scraped {
		name, _, _ := strings.Cut(line, "{")
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, part)
		}
		if strings.HasPrefix(name, "muster_") && !strings.Contains(string(manual), "`"+name+"`") {
			t.Errorf("docs/metrics.md lacks %s", name)
		}
	}
}

// Several managers that share a configuration show their metrics side by side.
func TestPortsOfSeveralManagers(t *testing.T) {
	for _, test := range []struct{ addr, want string }{
		{"", ""}, {"127.0.0.1:0", "127.0.0.1:0"}, {"127.0.0.1:9464", "127.0.0.1:9466"}, {"[::1]:9464", "[::1]:9466"},
	} {
		if got := nextPort(test.addr, 2); got != test.want {
			t.Errorf("%q becomes %q, want %q", test.addr, got, test.want)
		}
	}
}

// Connections that say nothing keep no scraper out.
func TestSilentConnectionsDoNotStopScrapes(t *testing.T) {
	s, err := serveMetrics("127.0.0.1:0", prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.close() }()
	var silent []net.Conn
	for range 2 * maxScrapers {
		conn, err := net.Dial("tcp", s.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		silent = append(silent, conn)
	}
	scrape(t, "http://"+s.addr.String()+"/metrics")
	if _, err := silent[0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the oldest silent connection is still there: %v", err)
	}
}

// An agent shows what its media tasks do while they run, and what they did.
func TestMetricsOfAnAgent(t *testing.T) {
	c := upWithoutWorkers(t)
	in := filepath.Join(t.TempDir(), "in.mp4")
	if out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=40", "-c:v", "libx264", "-preset", "ultrafast", in).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	a, _ := beginAgent(t, c.url, "video", "--metrics", "127.0.0.1:0")
	url := a.await(`msg="serving metrics".* url=(\S+)`)[1]
	spec := `{"input":"` + in + `","output":"` + t.TempDir() + `","ladder":[{"height":360,"codec":"h264"}],"speed":"good","upscale":true}`
	task := begin(t, "run", "video", "clip", "--wait", "--spec", spec, "--url", c.url)
	eventually(t, "no speed of a task that runs", func() bool {
		got := scrape(t, url)
		return got[`muster_media_slowest_speed_ratio{purpose="video"}`] != "" && got[`muster_agent_nodes{purpose="video",state="busy"}`] == "1"
	})
	if status := task.ends(6 * patience); status != 0 {
		t.Fatalf("the task ended with %d: %s", status, task.out.String())
	}
	eventually(t, "the task is not counted", func() bool {
		return scrape(t, url)[`muster_agent_tasks_ended_total{purpose="video",result="done"}`] == "1"
	})
	got := scrape(t, url)
	for name, want := range map[string]string{
		`muster_media_frames_total{purpose="video"}`:                      "1000",
		`muster_media_dropped_frames_total{purpose="video"}`:              "0",
		`muster_media_slowest_speed_ratio{purpose="video"}`:               "",
		`muster_agent_tasks_ended_total{purpose="video",result="failed"}`: "0",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	isDocumented(t, got)
}

// What a task said before it ended counts once, also where its end says nothing.
func TestFramesOfTasksCountOnce(t *testing.T) {
	m := newAgentMeasures(nil, worker.Options{})
	m.running["crashed"] = mediaWork{Frames: 100, Dropped: 7}
	m.ended(muster.TaskReport{Task: "crashed", State: muster.TaskFailed})
	m.running["done"] = mediaWork{Frames: 10, Dropped: 1}
	m.ended(muster.TaskReport{Task: "done", State: muster.TaskDone, Detail: []byte(`{"frames":20,"dropped":2,"speed":3}`)})
	if m.past.Frames != 120 || m.past.Dropped != 9 || len(m.running) != 0 || !m.late["done"] {
		t.Errorf("%+v, %v run, late %v", m.past, m.running, m.late)
	}
}
