// Package stage serves files of this machine to workers that do not see them, and
// takes their results back, over HTTP. Package store has the other side, under the
// scheme "stage". Both ways have checksums and go on where a connection broke.
//
// A URL has a key that cannot be guessed: a program that has the URL may read that
// input, or send that output. Nothing is encrypted.
package stage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server serves inputs and takes outputs until it is closed.
type Server struct {
	key      string
	address  string
	server   *http.Server
	listener net.Listener

	mu      sync.Mutex
	inputs  []string
	outputs []output
	// sums are SHA-256 of inputs, by path and version.
	sums map[string][]byte
	// locks let one request at a time write to a file.
	locks map[string]*sync.Mutex
	// partials are the files of uploads that are not whole.
	partials map[string]bool
}

// output is where results of a task may go.
type output struct {
	dir string
	// first is what the first part of a name in it must be.
	first   *regexp.Regexp
	replace bool
}

// Listen serves at an address of this machine; address is where workers reach it, ""
// where that is the same.
func Listen(listen, address string) (*Server, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	if address == "" {
		address = l.Addr().String()
	}
	s := &Server{key: rand.Text(), address: address, listener: l, sums: map[string][]byte{}, locks: map[string]*sync.Mutex{}, partials: map[string]bool{}}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: silence, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// silence is how long a connection may bring nothing.
const silence = 30 * time.Second

// Close ends it with the transfers that go on, and removes what came in part.
func (s *Server) Close() error {
	err := s.server.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.partials {
		_ = os.Remove(name)
	}
	return err
}

// Input is the URL of a file that is to be read.
func (s *Server) Input(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err != nil {
		return "", fmt.Errorf("stage: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inputs = append(s.inputs, path)
	return s.url("in", len(s.inputs)-1, filepath.Base(path)), nil
}

// word stands in an output for what is filled in.
var word = regexp.MustCompile(`\\\{[^{}]*\\\}`)

// Output is the URL of a file or directory that is to be written, whose name may have
// words in braces. Without replace nothing is overwritten there.
func (s *Server) Output(name string, replace bool) string {
	base := filepath.Base(name)
	first := word.ReplaceAllString(regexp.QuoteMeta(base), `[^/]*`)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outputs = append(s.outputs, output{
		dir: filepath.Dir(name), replace: replace,
		first: regexp.MustCompile(`^` + first + `(\.[a-z0-9]+)?$`), // what has no ending gets one
	})
	return s.url("out", len(s.outputs)-1, base)
}

func (s *Server) url(way string, n int, name string) string {
	text := s.prefix(way, n) + url.PathEscape(name)
	return strings.NewReplacer("%7B", "{", "%7D", "}").Replace(text)
}

func (s *Server) prefix(way string, n int) string {
	return fmt.Sprintf("stage://%s/%s/%s/%d/", s.address, s.key, way, n)
}

// Shown puts the paths of this machine in the place of URLs.
func (s *Server) Shown(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range s.outputs {
		text = replaceURL(text, s.prefix("out", i), o.dir)
	}
	for i, in := range s.inputs {
		text = replaceURL(text, s.prefix("in", i), filepath.Dir(in))
	}
	return text
}

// replaceURL also replaces the URL as errors of HTTP have it.
func replaceURL(text, prefix, dir string) string {
	_, rest, _ := strings.Cut(prefix, "://")
	return strings.NewReplacer(prefix, dir+"/", "http://"+rest, dir+"/").Replace(text)
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/"+s.key+"/")
	way, rest, _ := strings.Cut(rest, "/")
	number, name, _ := strings.Cut(rest, "/")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 {
		http.NotFound(w, r)
		return
	}
	switch {
	case way == "in" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.give(w, r, n)
	case way == "out" && (r.Method == http.MethodPut || r.Method == http.MethodHead):
		s.take(w, r, n, name)
	default:
		http.NotFound(w, r)
	}
}

// give serves an input. The name of its version lets a reader go on after a break,
// and notice that the file has changed.
func (s *Server) give(w http.ResponseWriter, r *http.Request, n int) {
	s.mu.Lock()
	if n >= len(s.inputs) {
		s.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	name := s.inputs[n]
	s.mu.Unlock()
	f, err := os.Open(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		http.NotFound(w, r)
		return
	}
	version := fmt.Sprintf("%d-%d", info.Size(), info.ModTime().UnixNano())
	w.Header().Set("ETag", `"`+version+`"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.Method == http.MethodHead {
		sum, err := s.sum(name, version)
		if err != nil {
			http.Error(w, "the file cannot be read", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":")
	}
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// sum is the SHA-256 of a version of a file.
func (s *Server) sum(name, version string) ([]byte, error) {
	lock := s.lock(name)
	lock.Lock() // many workers may ask at once
	defer lock.Unlock()
	s.mu.Lock()
	sum := s.sums[name+"\x00"+version]
	s.mu.Unlock()
	if sum != nil {
		return sum, nil
	}
	sum, err := sumOf(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.sums[name+"\x00"+version] = sum
	}
	return sum, err
}

func (s *Server) lock(name string) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[name] == nil {
		s.locks[name] = &sync.Mutex{}
	}
	return s.locks[name]
}

// place is the path of a result, "" where there may be none.
func (s *Server) place(n int, name string) (at string, replace bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n >= len(s.outputs) || !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name {
		return "", false
	}
	first, _, _ := strings.Cut(name, "/")
	o := s.outputs[n]
	if !o.first.MatchString(first) {
		return "", false
	}
	return filepath.Join(o.dir, filepath.FromSlash(name)), o.replace
}

// Headers and parameters of uploads.
const (
	// ParamUpload is the SHA-256 of what is sent, in hexadecimal: it names an upload
	// that can be taken up again.
	ParamUpload = "upload"
	// HeaderOffset is how much of it is there.
	HeaderOffset = "Upload-Offset"
)

var uploadName = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (s *Server) take(w http.ResponseWriter, r *http.Request, n int, name string) {
	at, replace := s.place(n, name)
	id := r.URL.Query().Get(ParamUpload)
	if at == "" || id != "" && !uploadName.MatchString(id) {
		http.NotFound(w, r)
		return
	}
	u := &upload{path: at, id: id, replace: replace && r.Header.Get("If-None-Match") == ""}
	if r.Method == http.MethodHead {
		u.tell(w)
		return
	}
	lock := s.lock(at)
	lock.Lock()
	defer lock.Unlock()
	if id != "" {
		s.mu.Lock()
		s.partials[u.partial()] = true
		s.mu.Unlock()
	}
	status, err := u.write(w, r)
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	w.WriteHeader(status)
}

// sumOf is the SHA-256 of a file.
func sumOf(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// AddressTo is the address of this machine from which another one is reached.
func AddressTo(ctx context.Context, host string) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", net.JoinHostPort(host, "9")) // nothing is sent
	if err != nil {
		return "", fmt.Errorf("stage: %w", err)
	}
	defer conn.Close()
	from, _, err := net.SplitHostPort(conn.LocalAddr().String())
	return from, err
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}
