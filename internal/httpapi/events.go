package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/pause"
)

// The bounds of streams.
const (
	maxStreams   = 256
	streamWrite  = 10 * time.Second       // how long a write may take
	streamBeat   = 10 * time.Second       // the longest silence, so that both sides notice a dead connection
	streamPace   = 100 * time.Millisecond // the least time between two writes
	streamReplay = 500                    // events of the past that can be asked for
)

// Event is something that happened, as the stream has it.
type Event struct {
	At muster.Instant `json:"at" doc:"In milliseconds since 1970."`
	muster.FeedEvent
	Term uint64 `json:"term,omitempty" doc:"Of a leader that begins."`
}

// events are the operations on what happens.
func (a *api) events() {
	op := operation("watch-events", http.MethodGet, "/v1/events", "Events", "Follow what happens in the cluster", Viewer)
	op.Description = "A stream of server-sent events. Each has an id: send the last one as Last-Event-ID to go on where you were, at any server of the cluster. " +
		"The last 8,192 events are kept. The event reset says that some are missing: read again what you keep a copy of. " +
		"Events named loads (of workers) and rates (answers to schedule) come several times a second and have no id. " + op.Description
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The stream.",
		Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{
			Type: huma.TypeString, Description: "Lines of id, event and data, as the HTML standard has them. The data of an event is JSON: see the schema Event.",
		}}},
	}}
	huma.Register(a.API, op, a.watch)
}

func (a *api) watch(_ context.Context, in *struct {
	After  string `header:"Last-Event-ID" maxLength:"128" doc:"The id of the last event that you have."`
	Resume string `query:"after" maxLength:"128" doc:"The same, for programs that cannot set the header."`
	Recent int    `query:"recent" minimum:"0" maximum:"500" doc:"Begin with so many events of the past."`
}) (*huma.StreamResponse, error) {
	if a.s.hub.listeners() >= maxStreams {
		return nil, newProblem(http.StatusServiceUnavailable, "overloaded", fmt.Sprintf("there are %d streams, as many as there may be", maxStreams))
	}
	after := in.After
	if after == "" {
		after = in.Resume
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) { a.stream(ctx, after, in.Recent) }}, nil
}

// stream writes events until the caller is gone or no longer let in, or the server
// ends.
func (a *api) stream(ctx huma.Context, after string, recent int) {
	ctx.SetHeader("Content-Type", "text/event-stream")
	ctx.SetHeader("X-Accel-Buffering", "no") // proxies pass each event on at once
	ctx.SetStatus(http.StatusOK)
	out, ok := ctx.BodyWriter().(http.ResponseWriter)
	if !ok {
		return
	}
	a.s.keepOpen(ctx.Context())
	replaced := a.s.opts.Auth.replaced()
	if !stillKnown(ctx.Context()) {
		return
	}
	w := &eventWriter{ResponseController: http.NewResponseController(out), to: out}
	past := a.s.hub.recent(recent) // what is added meanwhile is in both: ids tell
	own := a.s.hub.open(after)
	defer a.s.hub.close(own)
	if w.write(append([]entry{{event: "hello", data: []byte(`{}`)}}, past...)) != nil {
		return
	}
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Context().Done():
			return
		case <-a.s.ending:
			return
		case <-replaced:
			replaced = a.s.opts.Auth.replaced() // before the look, so that no later reading is missed
			if !stillKnown(ctx.Context()) {
				return
			}
			continue
		case <-beat.C:
			if w.write([]entry{{}}) != nil {
				return
			}
			continue
		case <-own.wake:
		}
		for again := true; again; {
			var entries []entry
			entries, again = a.s.hub.take(own)
			// Looked up after the events were taken: none is sent that came after the token was removed.
			if !stillKnown(ctx.Context()) || w.write(entries) != nil {
				return
			}
		}
		if !pause.For(ctx.Context(), streamPace) {
			return
		}
	}
}

// eventWriter writes server-sent events.
type eventWriter struct {
	*http.ResponseController
	to http.ResponseWriter
}

// write writes entries, an empty one as a comment, and flushes them.
func (w *eventWriter) write(entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := w.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	var text []byte
	for _, e := range entries {
		if e.event == "" {
			text = append(text, ":\n\n"...)
			continue
		}
		if e.id != "" {
			text = append(append(append(text, "id: "...), e.id...), '\n')
		}
		text = append(append(append(text, "event: "...), e.event...), "\ndata: "...)
		text = append(append(text, e.data...), "\n\n"...)
	}
	if _, err := w.to.Write(text); err != nil {
		return err
	}
	return w.Flush()
}
