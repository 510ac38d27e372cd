package roomsub

import (
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"time"
)

// Loopback serves media to programs of this machine, over HTTP at a path that cannot
// be guessed.
type Loopback struct {
	// URL is where the media are.
	URL    string
	server *http.Server
}

// Serve begins to serve, until Close.
func Serve(media http.HandlerFunc) (*Loopback, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	path := "/" + rand.Text()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, media)
	s := &Loopback{"http://" + l.Addr().String() + path, &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = s.server.Serve(l) }() // ends with Close
	return s, nil
}

// Close ends what is served at once.
func (l *Loopback) Close() { _ = l.server.Close() }

// Live is what writes to a client of HTTP without delay, for Mux. Close does nothing.
func Live(w http.ResponseWriter) io.WriteCloser { return live{w, http.NewResponseController(w)} }

type live struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (l live) Write(p []byte) (int, error) {
	n, err := l.ResponseWriter.Write(p)
	if err == nil {
		err = l.control.Flush()
	}
	return n, err
}

func (live) Close() error { return nil }
