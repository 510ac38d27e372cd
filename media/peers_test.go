package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
)

// peer runs an ffmpeg at the other end of a connection.
func peer(t *testing.T, ctx context.Context, args ...string) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		other := run{
			program: tool(t).FFmpeg, grace: 1, stdout: func(r io.Reader) { _, _ = io.Copy(io.Discard, r) },
			args: append([]string{"-loglevel", "error", "-nostdin", "-y"}, args...),
		}
		ended <- other.do(ctx)
	}()
	return ended
}

// What is sent over RTSP and SRT arrives, picture and sound.
func TestStreamToPeers(t *testing.T) {
	for scheme, c := range map[string]struct {
		url  string
		args []string
	}{
		"rtsp": {"rtsp://ADDR/live", []string{"-rtsp_flags", "listen"}},
		"srt":  {"srt://ADDR?mode=caller", nil},
	} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			url := strings.Replace(c.url, "ADDR", free(t), 1)
			got := filepath.Join(t.TempDir(), "got.mkv")
			received := peer(t, within(t), append(c.args, "-i", strings.Replace(url, "caller", "listener", 1), "-c", "copy", got)...)
			mustDo(t, Stream, fmt.Sprintf(`{"input": %q, "output": %q, "loop": true, "duration_seconds": 3, "retry_seconds": 60, "audio": {"codec": "aac"}}`, clipOf(t, "film.mp4"), url))
			if err := <-received; err != nil {
				t.Logf("the receiver ended with %v", err) // some count the end as a broken connection
			}
			p := look(t, got)
			looksLike(t, p, "h264", 320, 180)
			if p.Audio() == nil || p.Seconds < 1.5 {
				t.Errorf("%v s arrived, sound: %v", p.Seconds, p.Audio())
			}
		})
	}
}

// A sender by SRT is recorded.
func TestRecordOfSRT(t *testing.T) {
	t.Parallel()
	url, out := "srt://"+free(t)+"?mode=", t.TempDir()
	sending, stop := context.WithCancel(within(t))
	sent := peer(t, sending, "-re", "-stream_loop", "-1", "-i", clipOf(t, "film.ts"), "-c", "copy", "-f", "mpegts", url+"listener")
	defer func() { stop(); <-sent }()
	mustDo(t, Record, fmt.Sprintf(`{"input": %q, "output": %q, "duration_seconds": 2, "retry_seconds": 60}`, url+"caller", out))
	p := look(t, filepath.Join(out, "segment-00000.mkv"))
	looksLike(t, p, "h264", 320, 180)
	if p.Audio() == nil {
		t.Error("no sound was recorded")
	}
}

// cutting serves a film and breaks the connection after some bytes, the first
// times; ranges says whether it can go on where it broke.
func cutting(t *testing.T, clip string, times int32, ranges bool) (url string, cuts *atomic.Int32) {
	t.Helper()
	film := read(t, clipOf(t, clip))
	cuts = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ranges {
			r.Header.Del("Range")
		}
		if cuts.Add(1) <= times {
			w = &cutter{w, len(film) / 2}
		} else {
			cuts.Add(-1)
		}
		if ranges {
			http.ServeContent(w, r, clip, time.Unix(0, 0), strings.NewReader(film))
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(film)))
		_, _ = io.WriteString(w, film)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/" + clip, cuts
}

// cutter ends the connection when so many bytes are written.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	_, _ = c.ResponseWriter.Write(p[:n])
	if c.left -= n; c.left == 0 {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

// A server that breaks off and goes on with the rest is no fault; one that never
// sends more is one, and nothing is left that looks whole.
func TestAServerThatBreaksOff(t *testing.T) {
	for _, with := range tools(t) {
		t.Run(with.Version, func(t *testing.T) {
			t.Parallel()
			spec := func(url, out string) []byte {
				return fmt.Appendf(nil, `{"input": %q, "output": %q, "ladder": [{"height": 90}], "speed": "fastest"}`, url, out)
			}
			out := t.TempDir()
			url, cuts := cutting(t, "film.mkv", 2, true)
			if err := workWith(t, with, Transcode, Options{}).run(within(t), spec(url, out), "n1", newWatcher()); err != nil {
				t.Errorf("cut %d times, and the error is %v", cuts.Load(), err)
			} else if p := look(t, filepath.Join(out, "film-90p.mp4")); p.Seconds < 2.9 {
				t.Errorf("%v s came out", p.Seconds)
			}
			out = t.TempDir()
			url, _ = cutting(t, "film.mkv", 1<<30, false)
			err := workWith(t, with, Transcode, Options{}).run(within(t), spec(url, out), "n1", newWatcher())
			var says causedError
			if !errors.As(err, &says) || says.cause != muster.CausePassing {
				t.Errorf("a server that never sends more is the error %v", err)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("it was tried for ever")
			}
			if left := filesIn(t, out); len(left) > 0 {
				t.Errorf("left %q", left)
			}
		})
	}
}
