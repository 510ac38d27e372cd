package media

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/rtsptest"
)

// liveServer is a server of live media at a URL, that can be broken off and brought
// back there.
type liveServer struct {
	url         string
	stop, start func()
}

// nginx is Debian's, with its module for RTMP, as one process without files outside of
// the test's directory.
func nginx(t *testing.T) liveServer {
	t.Helper()
	const module = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(module); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: run scripts/install-tools", err)
		}
		t.Skip("nginx has no module for RTMP here: run scripts/install-tools")
	}
	dir, addr := t.TempDir(), free(t)
	write(t, filepath.Join(dir, "nginx.conf"), "daemon off; master_process off; pid pid; error_log stderr warn; load_module "+module+`;
		events {}
		rtmp { server { listen `+addr+`; application live { live on; } } }`)
	var server *exec.Cmd
	s := liveServer{url: "rtmp://" + addr + "/live/key"}
	s.start = func() {
		server = exec.Command(program, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		answers(t, addr)
	}
	s.stop = func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// answers waits until a server takes connections.
func answers(t *testing.T, addr string) {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nobody answers at %s", addr)
}

// liveServers are those of each protocol that has servers.
func liveServers(t *testing.T) map[string]func(*testing.T) liveServer {
	return map[string]func(*testing.T) liveServer{
		"rtmp": nginx,
		"rtsp": func(t *testing.T) liveServer {
			s := rtsptest.New(t, free(t))
			return liveServer{s.URL, s.Stop, func() { s.Start(t) }}
		},
	}
}

// What is sent to a server is recorded from it. When the server dies half-way and
// comes back, both go on: the sender begins again, the recording has a gap, and
// every file of it has picture and sound.
func TestThroughAServerThatDies(t *testing.T) {
	for scheme, begin := range liveServers(t) {
		for _, with := range tools(t) {
			t.Run(scheme+with.Version, func(t *testing.T) {
				t.Parallel()
				server, out := begin(t), t.TempDir()
				sent, endSent := beginWith(t, with, Stream, fmt.Sprintf(`{"input": %q, "output": %q, "loop": true, "retry_seconds": 200, "audio": {"codec": "aac"}}`, clipOf(t, "film.mp4"), server.url))
				got, endGot := beginWith(t, with, Record, fmt.Sprintf(`{"input": %q, "output": %q, "segment_seconds": 1, "retry_seconds": 200}`, server.url, out))
				segments := func() int { return len(got.heard("segment")) }
				got.await(t, "two segments", func() bool { return count(got.events, "segment") >= 2 })
				server.stop()
				sent.await(t, "retry of the sender", func() bool { return count(sent.events, "retry") > 0 })
				got.await(t, "retry of the recording", func() bool { return count(got.events, "retry") > 0 })
				before := segments()
				server.start()
				got.await(t, "segments behind the gap", func() bool { return count(got.events, "segment") >= before+2 })
				for _, end := range []func() error{endGot, endSent} {
					if err := end(); err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("it ended with %v", err)
					}
				}
				if said := inJSONText(got.last().Detail); strings.Contains(said, WarnEmpty) {
					t.Errorf("it says %s", said)
				}
				sound, total := 0.0, 0.0
				for _, one := range got.heard("segment") {
					p := look(t, one.(Segment).File)
					looksLike(t, p, "h264", 320, 180)
					sound += soundOf(t, one.(Segment).File)
					total += one.(Segment).End - one.(Segment).Start
				}
				if sound < 0.7*total { // a track may be there, and have nothing in it
					t.Errorf("of %.1f s there are %.1f s of sound", total, sound)
				}
			})
		}
	}
}

// soundOf is how many seconds of sound can be decoded.
func soundOf(t *testing.T, path string) float64 {
	t.Helper()
	p := look(t, path)
	if p.Audio() == nil {
		return 0
	}
	return float64(len(decoded(t, "-i", path, "-map", "0:a:0", "-ac", "1", "-ar", "8000", "-f", "u8"))) / 8000
}

func count(events []string, name string) int {
	n := 0
	for _, e := range events {
		if e == name {
			n++
		}
	}
	return n
}

// A sender whose server dies, and that was not told to begin again, fails for a
// reason that may pass.
func TestASendersServerDies(t *testing.T) {
	for scheme, begin := range liveServers(t) {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			server, w := begin(t), newWatcher()
			ended := make(chan error, 1)
			spec := fmt.Appendf(nil, `{"input": %q, "output": %q, "loop": true, "audio": {"codec": "aac"}}`, clipOf(t, "film.mp4"), server.url)
			work := workOf(t, Stream, Options{})
			go func() { ended <- work.run(within(t), spec, "n1", w) }()
			w.awaitFrames(t)
			server.stop()
			var says causedError
			if err := <-ended; !errors.As(err, &says) || says.cause != muster.CausePassing {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// A sender by SRT that dies and comes back is recorded on, and a stream to a receiver
// that dies goes on with the next one.
func TestSRTThatBreaksOff(t *testing.T) {
	t.Run("in", func(t *testing.T) {
		t.Parallel()
		url := "srt://" + free(t) + "?mode="
		send := func() (stop func()) {
			ctx, cancel := context.WithCancel(within(t))
			sent := peer(t, ctx, "-re", "-stream_loop", "-1", "-i", clipOf(t, "film.ts"), "-c", "copy", "-f", "mpegts", url+"listener")
			return sync.OnceFunc(func() { cancel(); <-sent })
		}
		stop := send()
		defer func() { stop() }()
		got, end := begin(t, Record, fmt.Sprintf(`{"input": %q, "output": %q, "segment_seconds": 1, "retry_seconds": 200}`, url+"caller", t.TempDir()))
		got.await(t, "a segment", func() bool { return count(got.events, "segment") > 0 })
		stop()
		got.await(t, "retry", func() bool { return count(got.events, "retry") > 0 })
		before := len(got.heard("segment"))
		stop = send()
		got.await(t, "segments behind the gap", func() bool { return count(got.events, "segment") >= before+2 })
		_ = end()
		for _, one := range got.heard("segment") {
			looksLike(t, look(t, one.(Segment).File), "h264", 320, 180)
		}
	})
	t.Run("out", func(t *testing.T) {
		t.Parallel()
		url, dir := "srt://"+free(t)+"?mode=", t.TempDir()
		ctx, cancel := context.WithCancel(within(t))
		first := peer(t, ctx, "-i", url+"listener", "-c", "copy", "-f", "null", "-")
		sent, end := begin(t, Stream, fmt.Sprintf(`{"input": %q, "output": %q, "loop": true, "retry_seconds": 200, "audio": {"codec": "aac"}}`, clipOf(t, "film.mp4"), url+"caller"))
		sent.awaitFrames(t)
		cancel()
		<-first
		sent.await(t, "retry", func() bool { return count(sent.events, "retry") > 0 })
		got := filepath.Join(dir, "got.mkv")
		if err := <-peer(t, within(t), "-i", url+"listener", "-c", "copy", "-t", "1", got); err != nil {
			t.Logf("the receiver ended with %v", err)
		}
		p := look(t, got)
		looksLike(t, p, "h264", 320, 180)
		if p.Audio() == nil {
			t.Error("no sound arrived")
		}
		_ = end()
	})
}
