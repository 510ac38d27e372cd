package load

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// overLoopback sends so many bytes through a TCP connection of this machine
// to itself.
func overLoopback(t *testing.T, bytes int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.CopyN(conn, zeros{}, bytes)
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := io.Copy(io.Discard, conn); n != bytes || err != nil {
		t.Fatalf("got %d bytes, %v; want %d", n, err, bytes)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Ten seconds pass by the source's clock while 125 MB travel over the loopback
// interface: 100 Mbit/s, and whatever else travels there.
func TestNetworkMeasuresRealTraffic(t *testing.T) {
	const bytes, seconds = 125_000_000, 10
	now := time.Unix(0, 0)
	s := network("lo", 200, func() time.Time { return now })
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	overLoopback(t, bytes)
	now = now.Add(seconds * time.Second)
	got, err := s.Load(t.Context())
	if err != nil || got < 0.5 {
		t.Errorf("100 of 200 Mbit/s: got %v, %v; want at least 0.5", got, err)
	}
	now = now.Add(1000 * time.Hour)
	if got, err := s.Load(t.Context()); err != nil || got > 0.01 {
		t.Errorf("1000 idle hours later: got %v, %v; want about 0", got, err)
	}
}

func TestNetworkOnRealClock(t *testing.T) {
	s := Network("lo", 0)
	for range 2 {
		if got, err := s.Load(t.Context()); err != nil || got < 0 || got > 1 {
			t.Errorf("got %v, %v; want a load", got, err)
		}
	}
}

func TestNetworkNamesTheInterfaces(t *testing.T) {
	_, err := Network("nosuch0", 0).Load(t.Context())
	if err == nil || !strings.Contains(err.Error(), `"nosuch0"`) || !strings.Contains(err.Error(), "lo") {
		t.Errorf("got %v; want an error with the interfaces that exist", err)
	}
}

func TestTrafficLoad(t *testing.T) {
	for name, c := range map[string]struct {
		before, after traffic
		want          float64
	}{
		"received more":   {traffic{"a", 0, 0}, traffic{"a", 5e6, 1e6}, 0.2},
		"sent more":       {traffic{"a", 0, 0}, traffic{"a", 1e6, 10e6}, 0.4},
		"counter reset":   {traffic{"a", 9e6, 9e6}, traffic{"a", 1e6, 10e6}, 0},
		"other interface": {traffic{"a", 0, 0}, traffic{"b", 9e6, 9e6}, 0},
	} {
		got, err := trafficLoad(c.before, c.after, 2*time.Second, 100)
		if got != c.want || err != nil {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, c.want)
		}
	}
}

func writeFile(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLinkSpeed(t *testing.T) {
	root := t.TempDir()
	writeFile(t, root, "sys/class/net/fast/speed", "25000\n")
	writeFile(t, root, "sys/class/net/virtual/speed", "-1\n")
	if got, ok := linkSpeed(root, "fast"); got != 25000 || !ok {
		t.Errorf("fast: got %v, %v; want 25000", got, ok)
	}
	for _, iface := range []string{"virtual", "absent"} {
		if got, ok := linkSpeed(root, iface); ok {
			t.Errorf("%s: got %v; want none", iface, got)
		}
	}
	if got := scale("lo", 0); got != FallbackMbps {
		t.Errorf("loopback has no rate: got %v; want %v", got, FallbackMbps)
	}
	if got := scale("lo", 42); got != 42 {
		t.Errorf("a rate was given: got %v; want 42", got)
	}
}

func TestDefaultInterface(t *testing.T) {
	root := t.TempDir()
	writeFile(t, root, "proc/net/route", "Iface\tDestination\tGateway\neth1\t000200C0\t0\neth7\t00000000\t010200C0\n")
	if got, err := defaultInterface(root); got != "eth7" || err != nil {
		t.Errorf("got %q, %v; want eth7", got, err)
	}
	if _, err := defaultInterface(t.TempDir()); err == nil {
		t.Error("no table: no error")
	}
	writeFile(t, root, "proc/net/route", "Iface\tDestination\tGateway\n")
	if _, err := defaultInterface(root); err == nil {
		t.Error("no default route: no error")
	}
}
