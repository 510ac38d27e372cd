package roombench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtc"
)

// The servers that are measured.
const (
	Muster  = "muster"
	Plain   = "pion"
	LiveKit = "livekit"
)

// Kinds are those that need no other program.
var Kinds = []string{Muster, Plain}

// forwarder is one of them.
type forwarder interface {
	Offer(ctx context.Context, o room.Offer) (string, error)
	Close() error
}

// Serve is a server of that kind until ctx ends. It prints the URL of its
// signalling.
func Serve(ctx context.Context, kind string, stdout io.Writer) error {
	var f forwarder
	var err error
	switch kind {
	case Muster:
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(rtc.GCPercent) // as "muster sfu" does
		}
		f, err = rtc.Start(rtc.Options{})
	case Plain:
		f = newPlain()
	default:
		err = fmt.Errorf("no server %q: it is one of %q", kind, Kinds)
	}
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, f.Close())
	}
	server := &http.Server{Handler: signalling(f), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if _, err := fmt.Fprintf(stdout, "http://%s\n", listener.Addr()); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func signalling(f forwarder) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /offer", func(w http.ResponseWriter, r *http.Request) {
		var o room.Offer
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := f.Offer(r.Context(), o)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, answer)
	})
	return mux
}
