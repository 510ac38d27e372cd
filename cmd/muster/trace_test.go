package main

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	otlp "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver takes OTLP over HTTP, as a collector does.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []recordedSpan
}

type recordedSpan struct {
	*spans.Span
	service string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := r.take(req); err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(req *http.Request) error {
	if req.URL.Path != "/v1/traces" {
		return fmt.Errorf("%s: want /v1/traces", req.URL.Path)
	}
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(req.Body); err != nil {
			return err
		}
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var request otlp.ExportTraceServiceRequest
	if err := proto.Unmarshal(raw, &request); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range request.ResourceSpans {
		service := ""
		for _, a := range resource.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				r.got = append(r.got, recordedSpan{s, service})
			}
		}
	}
	return nil
}

// tree writes the spans of the trace that a root span of that name begins, as
// "service name" under their parents, with their ids and times left out.
func (r *receiver) tree(root string) (trace, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out strings.Builder
	below := map[string][]recordedSpan{}
	i := slices.IndexFunc(r.got, func(s recordedSpan) bool { return s.Name == root && len(s.ParentSpanId) == 0 })
	if i < 0 {
		return "", ""
	}
	first := r.got[i]
	for _, s := range r.got {
		if string(s.TraceId) == string(first.TraceId) {
			below[string(s.ParentSpanId)] = append(below[string(s.ParentSpanId)], s)
		}
	}
	var write func(s recordedSpan, indent string)
	write = func(s recordedSpan, indent string) {
		fmt.Fprintf(&out, "%s%s %s\n", indent, s.service, s.Name)
		slices.SortStableFunc(below[string(s.SpanId)], func(a, b recordedSpan) int { return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano)) })
		for _, child := range below[string(s.SpanId)] {
			write(child, indent+"  ")
		}
	}
	write(first, "")
	return hex.EncodeToString(first.TraceId), out.String()
}

// TestOneTraceFromCallerToNode: what a caller begins goes on in the manager, the
// agent and the node, and all of it is one trace.
func TestOneTraceFromCallerToNode(t *testing.T) {
	r := newReceiver(t)
	env := []string{"MUSTER_TRACE_OTLP=" + r.URL, "OTEL_BSP_SCHEDULE_DELAY=50"}
	m := beginWith(t, env, "manager", "-c", writeConfig(t, placeAtOnce), "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	url := m.await(`msg="manager takes requests".* url=(\S+)`)[1]
	metrics := m.await(`msg="serving metrics" url=(\S+)`)[1]
	a := beginWith(t, env, "agent", "--purpose", "video", "--url", url, "--load", "memory", "--max-load", "1", "--dir", t.TempDir())
	id := a.await(`(?m)^(video-[0-9a-f]{20}@\S+)$`)[1]
	free(t, url, id)

	spec := `{"input":"` + clip(t, "in.mp4") + `","output":"` + t.TempDir() + `","ladder":[{"height":60,"codec":"h264"}]}`
	run := beginWith(t, env, "run", "video", "clip", "--wait", "--spec", spec, "--url", url)
	if status := run.ends(patience); status != 0 {
		t.Fatalf("status %d", status)
	}
	const want = `muster-run job
  muster-run schedule
    muster-manager schedule
      muster-manager wait
      muster-manager commit
      muster-manager decide
  muster-run getNode
    muster-agent getNode
      muster-agent claimTask
        muster-manager claimTask
          muster-manager wait
          muster-manager commit
          muster-manager decide
      muster-agent start node
  muster-run start
    muster-node start
`
	var trace, got string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("spans:\n%s", got)
		}
	})
	eventually(t, "the trace is not whole", func() bool {
		trace, got = r.tree("job")
		return strings.Count(got, "\n") >= strings.Count(want, "\n")
	})
	// What follows when the task ends is left out.
	lines := strings.SplitAfter(got, "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return strings.Contains(line, "recycleNode") || strings.Contains(line, "unschedule")
	})
	if got = strings.Join(lines, ""); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	request, err := http.NewRequest(http.MethodGet, metrics, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(text), `# {trace_id="`+trace+`"}`)
}

// TestAVerbIsATrace: a shell script's calls, and those of programs that record
// nothing, are recorded where the settings say so; nothing hangs where the
// collector is away.
func TestAVerbIsATrace(t *testing.T) {
	r := newReceiver(t)
	m := beginWith(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL, "OTEL_BSP_SCHEDULE_DELAY=50"},
		"manager", "-c", writeConfig(t, placeAtOnce), "--listen", "127.0.0.1:0")
	url := m.await(`msg="manager takes requests".* url=(\S+)`)[1]
	beginWorker(t, url, "w-1", "--purpose", "webrtc")
	free(t, url, "w-1")
	done(t, "schedule", "webrtc", "untraced", "--url", url)
	eventually(t, "the manager records nothing by itself", func() bool {
		_, tree := r.tree("schedule")
		return tree == "muster-manager schedule\n  muster-manager wait\n  muster-manager commit\n  muster-manager decide\n"
	})

	config := writeConfig(t, "[trace]\notlp = \""+r.URL+"\"\n")
	done(t, "schedule", "webrtc", "traced", "--url", url, "-c", config)
	eventually(t, "the verb is not in the trace", func() bool {
		_, tree := r.tree("muster schedule")
		return strings.HasPrefix(tree, "muster-schedule muster schedule\n  muster-schedule schedule\n    muster-manager schedule\n")
	})

	r.Close()
	away := invoke(t, "schedule", "webrtc", "away", "--url", url, "-c", config)
	if away.status != 0 || !strings.Contains(away.stderr, "muster: traces not sent: ") {
		t.Errorf("got %+v", away)
	}
}
