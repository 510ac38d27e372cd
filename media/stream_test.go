package media

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func flushing(w http.ResponseWriter) func(io.Reader) {
	return func(in io.Reader) {
		flush := http.NewResponseController(w)
		buf := make([]byte, 4096)
		for {
			n, err := in.Read(buf)
			if err != nil {
				return
			}
			if _, err := w.Write(buf[:n]); err == nil {
				_ = flush.Flush()
			}
		}
	}
}

func TestStreamIntoHLS(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "live")
	out := filepath.Join(dir, "x.m3u8")
	spec := fmt.Sprintf(`{"input": %q, "output": %q, "realtime": false, "video": "h264", "height": 60, "segment_seconds": 1}`, clip(t, 4), out)
	w := mustDo(t, Stream, spec)
	p := look(t, out)
	looksLike(t, p, "h264", 80, 60)
	lasts(t, p, 4)
	if n := strings.Count(read(t, out), "#EXTINF"); n < 2 {
		t.Errorf("has %d segments", n)
	}
	if d := w.last().Detail.(streamDetail); w.last().Share < 0.9 || d.Sent < 3.5 {
		t.Errorf("the last report is %+v", w.last())
	}
	if _, err := do(t, Stream, spec); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a stream over another is the error %v", err)
	}
}

// A loop goes on until it is stopped, and ends its playlist then.
func TestStreamLoopStopped(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "x.m3u8")
	w, end := begin(t, Stream, fmt.Sprintf(`{"input": %q, "output": %q, "loop": true, "realtime": false, "segments": 3, "segment_seconds": 1}`, clip(t, 1), out))
	w.await(t, "more than the clip", func() bool {
		return len(w.reports) > 0 && w.reports[len(w.reports)-1].Detail.(streamDetail).Sent > 3
	})
	if share := w.last().Share; share != -1 {
		t.Errorf("of something without end the share %v is done", share)
	}
	_ = end()
	if list := read(t, out); !strings.Contains(list, "#EXT-X-ENDLIST") || strings.Count(list, "#EXTINF") != 3 {
		t.Errorf("the playlist is\n%s", list)
	}
}

func TestStreamToRTMP(t *testing.T) {
	t.Parallel()
	url := "rtmp://" + free(t) + "/live/key"
	got := filepath.Join(t.TempDir(), "got.flv")
	received := make(chan error, 1)
	listens := make(chan struct{})
	go func() {
		receiver := run{
			program: tool(t).FFmpeg, grace: 1, stdout: func(r io.Reader) { _, _ = io.Copy(io.Discard, r) },
			args: []string{"-loglevel", "error", "-nostdin", "-y", "-listen", "1", "-i", url, "-c", "copy", got},
		}
		close(listens)
		received <- receiver.do(within(t))
	}()
	<-listens
	// The receiver may need a moment to listen: the stream tries again.
	mustDo(t, Stream, fmt.Sprintf(`{"input": %q, "output": %q, "loop": true, "duration_seconds": 2, "retry_seconds": 30}`, clip(t, 1), url))
	if err := <-received; err != nil {
		t.Fatal(err)
	}
	p := look(t, got)
	looksLike(t, p, "h264", 160, 120)
	lasts(t, p, 2)
	if p.Audio() == nil {
		t.Error("no sound arrived")
	}
}

// portsTaken is how many ports free has tried.
var portsTaken atomic.Int32

// free returns an address where nobody listens. Its port is below those that the
// system gives out, so that it is still free when a server comes back there.
func free(t *testing.T) string {
	t.Helper()
	const first, ports = 20_000, 10_000
	for range ports {
		port := first + (os.Getpid()*97+int(portsTaken.Add(1)))%ports
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

func TestStreamToNobody(t *testing.T) {
	t.Parallel()
	_, err := do(t, Stream, fmt.Sprintf(`{"input": %q, "output": "rtmp://u:secret@%s/live/x"}`, clip(t, 1), free(t)))
	if err == nil || !strings.Contains(err.Error(), "Connection refused") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a stream without a receiver is the error %v", err)
	}
}
