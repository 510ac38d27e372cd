package store

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-fleet/muster/internal/stage"
)

// line carries connections to a stage, and cuts some of them when so many bytes have
// gone one way.
type line struct {
	most int64
	cuts atomic.Int32
	// bytes are all that have gone to the stage and from it.
	to, from atomic.Int64
}

// staged is a server of files behind a line.
func staged(t *testing.T, l *line, times int32) *stage.Server {
	t.Helper()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage.Listen("127.0.0.1:0", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = front.Close(); _ = s.Close() })
	go func() {
		for {
			client, err := front.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", s.Addr())
			if err != nil {
				_ = client.Close()
				continue
			}
			end := func() { _ = client.Close(); _ = server.Close() }
			carry := func(to, from net.Conn, count *atomic.Int64) {
				defer end()
				buf, gone := make([]byte, 32<<10), int64(0)
				for {
					n, err := from.Read(buf)
					if n > 0 {
						count.Add(int64(n))
						gone += int64(n)
						if _, err := to.Write(buf[:n]); err != nil {
							return
						}
					}
					if err != nil {
						return
					}
					if l.most > 0 && gone > l.most && l.cuts.Load() < times {
						l.cuts.Add(1)
						return
					}
				}
			}
			go carry(server, client, &l.to)
			go carry(client, server, &l.from)
		}
	}()
	return s
}

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(strings.NewReplacer("{", "%7B", "}", "%7D").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Both ways a broken connection goes on where it broke: not much more than the file
// is sent, although it is cut three times.
func TestStageGoesOnWhereItBroke(t *testing.T) {
	l := &line{most: 1 << 20}
	s := staged(t, l, 3)
	path, data := content(t, 5<<20)
	store := openStage(t)
	in, err := s.Input(path)
	if err != nil {
		t.Fatal(err)
	}
	got := filepath.Join(t.TempDir(), "got")
	if err := store.Fetch(t.Context(), parsed(t, in), got); err != nil {
		t.Fatal(err)
	}
	if have, err := os.ReadFile(got); err != nil || !bytes.Equal(have, data) || l.cuts.Load() != 3 || l.from.Load() > 7<<20 {
		t.Errorf("%d bytes came, %v, cut %d times, %d bytes in all", len(have), err, l.cuts.Load(), l.from.Load())
	}
	l.cuts.Store(0)
	l.to.Store(0)
	back := filepath.Join(t.TempDir(), "out", "back.bin")
	if err := store.Put(t.Context(), got, parsed(t, s.Output(back, false)), false); err != nil {
		t.Fatal(err)
	}
	if have, err := os.ReadFile(back); err != nil || !bytes.Equal(have, data) || l.cuts.Load() != 3 || l.to.Load() > 7<<20 {
		t.Errorf("%d bytes went back, %v, cut %d times, %d bytes in all", len(have), err, l.cuts.Load(), l.to.Load())
	}
	if left, _ := os.ReadDir(filepath.Dir(back)); len(left) != 1 {
		t.Errorf("beside the result there is %v", left)
	}
}

func openStage(t *testing.T) Store {
	t.Helper()
	s, err := Open("stage")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A result is sent to where its task may write, replaces nothing unasked, and is
// compared with its checksum; an input that changes meanwhile is noticed.
func TestStageKeepsToItsFiles(t *testing.T) {
	s := staged(t, &line{}, 0)
	dir, store := t.TempDir(), openStage(t)
	path, data := content(t, 1000)
	to := s.Output(filepath.Join(dir, "out", "{name}-{height}p.mp4"), false)
	base := strings.TrimSuffix(to, "{name}-{height}p.mp4")
	put := func(at string, replace bool) error { return store.Put(t.Context(), path, parsed(t, at), replace) }
	if err := put(base+"a-90p.mp4", false); err != nil {
		t.Fatal(err)
	}
	if err := put(base+"a-90p.mp4", false); !errors.Is(err, ErrExists) {
		t.Errorf("a second one: %v", err)
	}
	if err := put(base+"a-90p.mp4", true); !errors.Is(err, ErrExists) {
		t.Errorf("a worker may replace what its task may not: %v", err)
	}
	if err := put(s.Output(filepath.Join(dir, "out", "a-90p.mp4"), true), true); err != nil {
		t.Errorf("replaced: %v", err)
	}
	if size, err := store.Stat(t.Context(), parsed(t, base+"a-90p.mp4")); err != nil || size != 1000 {
		t.Errorf("it has %d bytes, %v", size, err)
	}
	for _, at := range []string{base + "other.mp4", base + "../a-90p.mp4", base + "%2e%2e/x-90p.mp4", strings.Replace(base, "/out/", "/in/", 1) + "a", strings.Replace(base, "/0/", "/7/", 1) + "a-90p.mp4", strings.Replace(base, "/out/", "x/out/", 1) + "a-90p.mp4"} {
		if err := put(at, false); err == nil {
			t.Errorf("%s was taken", at)
		}
	}
	whole := s.Output(filepath.Join(dir, "site", "talk"), false)
	if err := put(whole+"/v0/segment.m4s", false); err != nil {
		t.Errorf("a file of a directory: %v", err)
	}
	if shown := s.Shown(`"` + base + `a-90p.mp4"`); shown != `"`+filepath.Join(dir, "out", "a-90p.mp4")+`"` {
		t.Errorf("it is shown as %s", shown)
	}
	in, err := s.Input(path)
	if err != nil {
		t.Fatal(err)
	}
	at := parsed(t, in)
	inner := store.(stageStore)
	v, err := inner.version(t.Context(), at)
	if err != nil || v.size != 1000 || v.sum == "" {
		t.Fatalf("the version is %+v, %v", v, err)
	}
	if err := os.WriteFile(path, append(data, 'x'), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "got"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := inner.rest(t.Context(), at, f, v, 500); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("a file that changed: %v", err)
	}
	if err := store.Fetch(t.Context(), parsed(t, strings.Replace(in, "/in/0/", "/in/3/", 1)), filepath.Join(dir, "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	if _, err := s.Input(dir); err == nil {
		t.Error("a directory was taken for an input")
	}
}

// Content that is not what its name says is refused, and forgotten.
func TestStageComparesChecksums(t *testing.T) {
	s := staged(t, &line{}, 0)
	path, _ := content(t, 1000)
	out := filepath.Join(t.TempDir(), "x.mp4")
	at := plain(parsed(t, s.Output(out, false)))
	at.RawQuery = stage.ParamUpload + "=" + strings.Repeat("0", 64)
	store := openStage(t).(stageStore)
	if err := store.send(t.Context(), path, at, 0, 1000, false); err == nil || !strings.Contains(err.Error(), "another checksum") {
		t.Errorf("other content: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(out)); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
