package media

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/s3test"
)

// shelf is an HTTP server that takes files by PUT, and breaks the connection in
// the middle of the first of each.
type shelf struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte
	tries map[string]int
	order []string
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{files: map[string][]byte{}, tries: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, there := s.files[r.URL.Path]
	switch r.Method {
	case http.MethodHead, http.MethodGet:
		if !there {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Unix(0, 0), strings.NewReader(string(old)))
	case http.MethodPut:
		if there && r.Header.Get("If-None-Match") == "*" {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		if s.tries[r.URL.Path]++; s.tries[r.URL.Path] == 1 {
			_, _ = io.CopyN(io.Discard, r.Body, 100)
			panic(http.ErrAbortHandler)
		}
		body, err := io.ReadAll(r.Body)
		sum := md5.Sum(body)
		if err != nil || r.Header.Get("Content-MD5") != base64.StdEncoding.EncodeToString(sum[:]) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.files[r.URL.Path] = body
		s.order = append(s.order, r.URL.Path)
	}
}

// Results are sent by PUT, again where the connection breaks, and nothing is
// overwritten that was not to be.
func TestResultsBySendingThem(t *testing.T) {
	t.Parallel()
	s, in, stage := newShelf(t), clip(t, 1), t.TempDir()
	work := workOf(t, Transcode, Options{Root: filepath.Dir(in), Stage: stage})
	run := func(existing string) (*watcher, error) {
		w := newWatcher()
		spec := `{"input": "` + in + `", "output": "` + s.URL + `/films/{name}-{height}p.mp4?key=1", "ladder": [{"height": 60}], "speed": "fastest", "existing": "` + existing + `"}`
		return w, work.run(within(t), json.RawMessage(spec), "n1", w)
	}
	w, err := run("refuse")
	if err != nil {
		t.Fatal(err)
	}
	if text := inJSONText(w.last()); !strings.Contains(text, s.URL+"/films/clip-60p.mp4") || w.last().Share != 1 {
		t.Errorf("the report is %s", text)
	}
	got := filepath.Join(t.TempDir(), "got.mp4")
	write(t, got, string(s.files["/films/clip-60p.mp4"]))
	looksLike(t, look(t, got), "h264", 80, 60)
	if s.tries["/films/clip-60p.mp4"] != 2 {
		t.Errorf("it was sent %d times, not twice", s.tries["/films/clip-60p.mp4"])
	}
	var says causedError
	if _, err := run("refuse"); err == nil || !strings.Contains(err.Error(), "exists already") || !errors.As(err, &says) || says.cause != muster.CauseInput {
		t.Errorf("a second one is the error %v", err)
	}
	if w, err := run("keep"); err != nil || !strings.Contains(inJSONText(w.last()), `"kept":true`) {
		t.Errorf("kept: %v, %s", err, inJSONText(w.last()))
	}
	if _, err := run("replace"); err != nil {
		t.Error(err)
	}
	if left := filesIn(t, stage); len(left) > 0 {
		t.Errorf("the stage has %q", left)
	}
}

// What players open is sent when all that it names is there.
func TestAPackageIsSentInOrder(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	mustDo(t, Package, `{"input": "`+clip(t, 1)+`", "output": "`+s.URL+`/talk", "ladder": [{"height": 60}], "speed": "fastest"}`)
	if n := len(s.order); n < 6 || s.order[n-1] != "/talk/"+masterName && s.order[n-1] != "/talk/"+manifestName || !strings.HasPrefix(s.order[0], "/talk/init-") {
		t.Errorf("sent in the order %q", s.order)
	}
	if slices.IndexFunc(s.order, func(n string) bool { return strings.HasSuffix(n, ".m3u8") }) < slices.Index(s.order, "/talk/segment-0-00001.m4s") {
		t.Errorf("a playlist before its segments: %q", s.order)
	}
}

func TestBadNamesElsewhere(t *testing.T) {
	t.Parallel()
	in, stage := clip(t, 1), t.TempDir()
	work := workOf(t, Transcode, Options{Stage: stage})
	for spec, want := range map[string]string{
		`{"input": "s3://bucket", "output": "x", "ladder": [{"height": 60}]}`:                            "input: ",
		`{"input": "s3:///key", "output": "x", "ladder": [{"height": 60}]}`:                              "input: ",
		`{"input": "` + in + `", "output": "s3://bucket/", "ladder": [{"height": 60}]}`:                  "output: ",
		`{"input": "` + in + `", "output": "http://host/", "ladder": [{"height": 60}]}`:                  "output: ",
		`{"input": "` + in + `", "output": "s3://b/{nmae}.mp4", "ladder": [{"height": 60}]}`:             "output: {nmae} is unknown",
		`{"input": "s3://b/a.mp4", "output": "s3://b/x", "ladder": [{"height": 60}], "hdr": "whatever"}`: "hdr: ",
		`{"input": "mount:muster-stage/a.mp4", "output": "s3://b/x", "ladder": [{"height": 60}]}`:        "input: ",
		`{"input": "` + in + `", "output": "ftp://h/x.mp4", "ladder": [{"height": 60}]}`:                 "output: ftp: is not allowed",
	} {
		if err := work.Check(json.RawMessage(spec)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s is the error %v", spec, err)
		}
	}
	if err := work.Check(json.RawMessage(`{"input": "s3://b/a film.mp4", "output": "s3://b/../x/{name}", "ladder": [{"height": 60}]}`)); err != nil {
		t.Error(err)
	}
	if left := filesIn(t, stage); len(left) > 0 {
		t.Errorf("the stage has %q", left)
	}
}

// A worker that does not reach whoever runs the task refuses it before the start, so
// that another one is asked.
func TestAWorkerThatDoesNotReachTheCaller(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	work := workOf(t, Transcode, Options{Stage: t.TempDir()})
	for _, spec := range []string{
		`{"input": "stage://` + l.Addr().String() + `/key/in/0/a.mp4", "output": "x", "ladder": [{"height": 60}]}`,
		`{"input": "` + clip(t, 1) + `", "output": "stage://` + l.Addr().String() + `/key/out/0/x", "ladder": [{"height": 60}]}`,
	} {
		if err := work.Check(json.RawMessage(spec)); err != nil {
			t.Error(err)
		}
	}
	_ = l.Close()
	spec := `{"input": "stage://` + l.Addr().String() + `/key/in/0/a.mp4", "output": "x", "ladder": [{"height": 60}]}`
	var says causedError
	if err := work.Check(json.RawMessage(spec)); !errors.As(err, &says) || says.cause != muster.CauseWorker || !strings.Contains(err.Error(), "--stage-address") || strings.Contains(err.Error(), "key") {
		t.Errorf("the error is %v", err)
	}
}

// From an object to an object: what is not there lies at the input, and what is
// there is kept or refused.
func TestFromAndToS3(t *testing.T) {
	server := s3test.Start(t)
	data, err := os.ReadFile(clip(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(server.Dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(server.Dir, "in", "a film.mp4"), string(data))
	spec := `{"input": "s3://films/in/a film.mp4", "output": "s3://films/out/{name}", "container": "mp4", "ladder": [{"height": 60}], "speed": "fastest"}`
	w := mustDo(t, Transcode, spec)
	looksLike(t, look(t, filepath.Join(server.Dir, "out", "a film.mp4")), "h264", 80, 60)
	if text := inJSONText(w.last()); !strings.Contains(text, "s3://films/out/a%20film.mp4") && !strings.Contains(text, "s3://films/out/a film.mp4") {
		t.Errorf("the report is %s", text)
	}
	if _, err := do(t, Transcode, spec); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a second one is the error %v", err)
	}
	_, err = do(t, Record, `{"input": "s3://films/none.mp4", "output": "`+t.TempDir()+`/r"}`)
	var says causedError
	if !errors.As(err, &says) || says.cause != muster.CauseInput {
		t.Errorf("what is not there is the error %v", err)
	}
	mustDo(t, Analyse, `{"input": "s3://films/in/a film.mp4", "detect": {"black": {}}}`)
}
