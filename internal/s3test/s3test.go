// Package s3test runs a real server of S3 for tests: versitygw, over a
// directory.
package s3test

import (
	"bytes"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Bucket is the one that there is.
const Bucket = "films"

// Server is a server that runs for a test.
type Server struct {
	// Addr is host and port, Dir the directory of the bucket.
	Addr, Dir string
}

// readyTime is how long the server may take to listen.
const readyTime = time.Minute

// program is where scripts/install-s3 puts it.
func program(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "muster", "bin", "versitygw")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("S3 IS NOT TESTED, which CI must do: no %s: run scripts/install-s3", path)
	}
	t.Skipf("no %s: run scripts/install-s3", path)
	return ""
}

// Start starts a server with one empty bucket, and sets the variables by which
// clients find it.
func Start(t *testing.T) *Server {
	t.Helper()
	dir := t.TempDir()
	s := &Server{Dir: filepath.Join(dir, "data", Bucket)}
	for _, d := range []string{s.Dir, filepath.Join(dir, "meta")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = l.Addr().String()
	_ = l.Close()
	var said bytes.Buffer
	cmd := exec.Command(program(t), "--access", "muster", "--secret", "muster-secret", "--region", "us-east-1", "--port", s.Addr,
		"posix", "--sidecar", filepath.Join(dir, "meta"), filepath.Join(dir, "data"))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	late := time.Now().Add(readyTime)
	for {
		if conn, err := net.Dial("tcp", s.Addr); err == nil {
			_ = conn.Close()
			break
		}
		select {
		case <-ended:
			t.Fatalf("the server of S3 ended: %s", said.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(late) {
			t.Fatal("the server of S3 does not listen")
		}
	}
	s.env(t, s.Addr)
	return s
}

func (s *Server) env(t *testing.T, addr string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://" + addr, "AWS_ENDPOINT_URL_S3": "", "AWS_ACCESS_KEY_ID": "muster", "AWS_SECRET_ACCESS_KEY": "muster-secret", "AWS_REGION": "us-east-1",
	} {
		t.Setenv(name, value)
	}
}

// Cut puts a proxy before the server that closes each connection when so many
// bytes of answers have gone through it, times times. It returns how often it
// has.
func (s *Server) Cut(t *testing.T, after int64, times int32) *atomic.Int32 {
	t.Helper()
	return s.cut(t, times, func(client, server net.Conn) bool {
		go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
		n, _ := io.CopyN(client, server, after)
		return n == after
	}, func(client, server net.Conn) { _, _ = io.Copy(client, server) })
}

// CutUploads is Cut for the bytes of requests, without an end.
func (s *Server) CutUploads(t *testing.T, after int64) *atomic.Int32 {
	t.Helper()
	return s.cut(t, math.MaxInt32, func(client, server net.Conn) bool {
		go func() { _, _ = io.Copy(client, server); _ = client.Close() }()
		n, _ := io.CopyN(server, client, after)
		return n == after
	}, nil)
}

// cut puts a proxy before the server. first passes the first bytes of a
// connection, and reports whether it is to be cut then; where it was times times,
// rest passes the others.
func (s *Server) cut(t *testing.T, times int32, first func(client, server net.Conn) bool, rest func(client, server net.Conn)) *atomic.Int32 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var cuts atomic.Int32
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer client.Close()
				server, err := net.Dial("tcp", s.Addr)
				if err != nil {
					return
				}
				defer server.Close()
				if first(client, server) && cuts.Add(1) > times {
					cuts.Add(-1)
					rest(client, server)
				}
			})
		}
	})
	s.env(t, l.Addr().String())
	return &cuts
}
