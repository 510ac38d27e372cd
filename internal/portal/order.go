package portal

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/conference"
	"github.com/muster-fleet/muster/internal/room"
)

// DefaultStreamTo is the default of Options.StreamTo.
var DefaultStreamTo = []string{"rtmp://", "rtmps://", "streams/"}

var errViewerOrders = errors.New("a viewer does not record or stream: ask for a token of a presenter")

// mayOrder says why a participant of a role may not have a room recorded or streamed so.
func (p *Portal) mayOrder(role room.Role, o conference.Order) error {
	switch to := o.Target.Output; {
	case role != room.Presenter:
		return errViewerOrders
	case o.Outlet != room.Streaming || !o.On || within(to, p.opts.StreamTo):
		return nil
	default:
		return fmt.Errorf("this portal lets rooms be streamed to what begins with one of %q", p.opts.StreamTo)
	}
}

// within reports whether an output begins with one of these, and as a path stays below
// it.
func within(output string, beginnings []string) bool {
	if !strings.Contains(output, "://") && (path.Clean(output) != output || strings.Contains(output, `\`)) {
		return false
	}
	return slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(output, b) })
}

// mostOrder is more than an order over HTTP has, in bytes.
const mostOrder = 8 << 10

// ordering has a room recorded or streamed, or not any more.
func (p *Portal) ordering(outlet room.OutletKind, on bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		claims, ok := p.entering(w, r)
		if !ok {
			return
		}
		o := conference.Order{Outlet: outlet, On: on, By: claims.User}
		if on && outlet == room.Streaming {
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostOrder)).Decode(&o.Target); err != nil {
				http.Error(w, `the body is {"output": URL}: `+err.Error(), http.StatusBadRequest)
				return
			}
		}
		if err := p.mayOrder(claims.Role, o); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		h, err := p.hall(claims.Room)
		if err == nil {
			err = h.order(r.Context(), o)
			p.leave(h)
		}
		switch refused := new(bus.RemoteError); {
		case err == nil:
			w.WriteHeader(http.StatusNoContent)
		case errors.As(err, &refused) && err.Error() != conference.NoRoom:
			http.Error(w, err.Error(), http.StatusConflict)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}
}
