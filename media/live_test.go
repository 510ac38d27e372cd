package media

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
)

// A sender that stops is noticed: of UDP and RTP there is no end but that nothing comes,
// and a server may hold the connection and send nothing.
func TestRecordOfWhatStops(t *testing.T) {
	sends := func(t *testing.T, with *Tool, format, url string) (stop func()) {
		sending, cancel := context.WithCancel(within(t))
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			sender := run{
				program: with.FFmpeg, grace: 1, stdout: func(r io.Reader) { _, _ = io.Copy(io.Discard, r) },
				args: []string{"-loglevel", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", clipOf(t, "film.ts"), "-c", "copy", "-f", format, url + "?pkt_size=1316"},
			}
			_ = sender.do(sending)
		}()
		return sync.OnceFunc(func() { cancel(); <-sent })
	}
	holds := func(t *testing.T, head string) (addr string, stop func()) {
		film, done := read(t, clipOf(t, "film.ts")), make(chan struct{})
		addr = listening(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, head+film)
			<-done
		})
		t.Cleanup(func() { close(done) })
		return addr, func() {}
	}
	for scheme, begin := range map[string]func(*testing.T, *Tool) (url string, stop func()){
		"udp": func(t *testing.T, with *Tool) (string, func()) {
			url := "udp://" + free(t)
			return url, sends(t, with, "mpegts", url)
		},
		"rtp": func(t *testing.T, with *Tool) (string, func()) {
			url := "rtp://" + free(t)
			free(t) // RTCP has the next port
			return url, sends(t, with, "rtp_mpegts", url)
		},
		"tcp": func(t *testing.T, _ *Tool) (string, func()) {
			addr, stop := holds(t, "")
			return "tcp://" + addr, stop
		},
		"http": func(t *testing.T, _ *Tool) (string, func()) {
			addr, stop := holds(t, "HTTP/1.1 200 OK\r\nAccept-Ranges: none\r\n\r\n")
			return "http://" + addr + "/film.ts", stop
		},
	} {
		for _, with := range tools(t) {
			t.Run(scheme+with.Version, func(t *testing.T) {
				t.Parallel()
				url, stop := begin(t, with)
				defer stop()
				work, w := workWith(t, with, Record, Options{stall: 5 * time.Second}), newWatcher()
				ended := make(chan error, 1)
				spec := fmt.Sprintf(`{"input": %q, "output": %q, "segment_seconds": 1}`, url, t.TempDir())
				go func() {
					ended <- work.run(within(t), json.RawMessage(spec), "n1", w)
					w.Notify("ended", nil)
				}()
				w.await(t, "segment", func() bool { return len(w.events) > 0 })
				stop()
				err := <-ended
				if len(w.heard("segment")) == 0 {
					t.Errorf("nothing was recorded")
				}
				if err == nil || !strings.Contains(err.Error(), "the input ends early") {
					t.Errorf("a sender that stopped is the error %v", err)
				}
				var says causedError
				if !errors.As(err, &says) || says.TaskCause() != muster.CausePassing {
					t.Errorf("it does not count as passing: %v", err)
				}
			})
		}
	}
}

// A stream that goes on after a break numbers its segments on: none is written
// twice, the list has a discontinuity, and ends with the task only.
func TestStreamIntoHLSGoesOn(t *testing.T) {
	for _, with := range tools(t) {
		t.Run(with.Version+"/file", func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "x.m3u8")
			goesOn(t, with, out, func() string { return read(t, out) })
		})
		t.Run(with.Version+"/http", func(t *testing.T) {
			t.Parallel()
			url, list := taking(t)
			goesOn(t, with, url+"/x.m3u8", func() string { return list("/x.m3u8") })
		})
	}
}

// taking is a web server that takes PUT, and what it has under a path.
func taking(t *testing.T) (url string, has func(path string) string) {
	t.Helper()
	var mu sync.Mutex
	files := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPut {
			if strings.HasSuffix(r.URL.Path, ".ts") && files[r.URL.Path] != "" {
				t.Errorf("%s was sent twice", r.URL.Path)
			}
			files[r.URL.Path] = string(body)
		}
		_, _ = io.WriteString(w, files[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	return server.URL, func(path string) string {
		mu.Lock()
		defer mu.Unlock()
		return files[path]
	}
}

func goesOn(t *testing.T, with *Tool, out string, now func() string) {
	t.Helper()
	source := served(t, "film.ts") // ends after 3 s each time
	w, end := beginWith(t, with, Stream, fmt.Sprintf(`{"input": %q, "output": %q, "segment_seconds": 1, "segments": 4, "retry_seconds": 60}`, source, out))
	first := -1
	for n := range 3 {
		w.await(t, "retry", func() bool {
			retries := 0
			for _, e := range w.events {
				if e == "retry" {
					retries++
				}
			}
			return retries > n
		})
		list := now()
		if strings.Contains(list, "ENDLIST") {
			t.Errorf("the list ends while the source is away:\n%s", list)
		}
		sequence := sequenceOf(t, list)
		if sequence < first {
			t.Errorf("the sequence fell from %d to %d", first, sequence)
		}
		first = sequence
	}
	_ = end()
	list := now()
	if !strings.HasSuffix(list, "#EXT-X-ENDLIST\n") || !strings.Contains(list, "#EXT-X-DISCONTINUITY\n") || first < 1 {
		t.Errorf("the list is\n%s", list)
	}
	names := map[string]bool{}
	for line := range strings.Lines(list) {
		if name := strings.TrimSpace(line); strings.HasSuffix(name, ".ts") {
			if names[name] {
				t.Errorf("%s is there twice:\n%s", name, list)
			}
			names[name] = true
		}
	}
}

func sequenceOf(t *testing.T, list string) int {
	t.Helper()
	_, after, _ := strings.Cut(list, "#EXT-X-MEDIA-SEQUENCE:")
	n, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]))
	if err != nil {
		t.Fatalf("no sequence in\n%s", list)
	}
	return n
}

// served is the URL of a clip that comes as a stream without a length.
func served(t *testing.T, clip string) string {
	t.Helper()
	film := read(t, clipOf(t, clip))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Accept-Ranges", "none")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, film)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/" + clip
}

// What was recorded of a voice is on the disk about a second later in each format, and
// can be played though nothing ended the file: a node that is killed loses no more.
func TestRecordIsWrittenOut(t *testing.T) {
	voice := generate(t, filepath.Join(t.TempDir(), "voice.mkv"), append(sound(60), "-c:a", "libopus", "-b:a", "16k")...)
	for _, with := range tools(t) {
		for _, c := range containers {
			t.Run(with.Version+"/"+c.word, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				w, end := beginWith(t, with, Record, fmt.Sprintf(`{"input": %q, "output": %q, "format": %q, "segment_seconds": 1000}`, live(t, voice), filepath.Join(dir, "rec"), c.word))
				w.await(t, "6 s of voice", func() bool {
					return len(w.reports) > 0 && w.reports[len(w.reports)-1].Detail.(recordDetail).Seconds > 6
				})
				left := filepath.Join(dir, "left."+c.word) // as a kill would leave it
				write(t, left, read(t, filepath.Join(dir, "rec", "segment-00000."+c.word)))
				_ = end()
				samples := decoded(t, "-i", left, "-ac", "1", "-ar", "8000", "-f", "u8")
				if seconds := float64(len(samples)) / 8000; seconds < 4.5 {
					t.Errorf("of 6 s of voice %.1f s are on the disk", seconds)
				}
			})
		}
	}
}
