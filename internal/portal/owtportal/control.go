package owtportal

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muster-fleet/muster/internal/room"
)

// finish ends a publication or a subscription. Its sections stay, as the client
// offers nothing then.
func (p *person) finish(c call) work {
	var q idRequest
	if c.decode(&q) != nil {
		c.refuse(malformed)
		return nil
	}
	s, reason := p.own(q.ID, c.name == "unpublish")
	if reason != "" {
		c.refuse(reason)
		return nil
	}
	return p.drop(s, func(error) { c.ok() }) // an SFU that is gone has ended it too
}

// drop takes a session off the transport.
func (p *person) drop(s *session, done func(error)) work {
	delete(p.transport.sessions, s.id)
	if s.sends {
		p.announce()
	}
	for _, section := range s.sections {
		section.paused = true
	}
	return p.change(s, done)
}

// change has the SFU do what the sections of a session say.
func (p *person) change(s *session, done func(error)) work {
	t := p.transport
	if t == nil || !s.live {
		done(nil) // the offer will say it
		return nil
	}
	change := room.Change{Publish: map[string]room.Track{}, Want: map[string]string{}}
	for _, section := range s.sections {
		section.into(&change)
	}
	return func(ctx context.Context) func() {
		err := p.seat.Change(ctx, t.node, t.label, change)
		return func() { done(err) }
	}
}

// pause sets which sections of a session are paused.
func (p *person) pause(c call, s *session, q controlRequest) work {
	var what string
	if json.Unmarshal(q.Data, &what) != nil || what != "av" && what != audio && what != video {
		c.refuse(malformed)
		return nil
	}
	for _, section := range s.sections {
		if what == "av" || what == section.kind {
			section.paused = q.Operation == "pause"
		}
	}
	if s.sends {
		p.announce()
	}
	return p.change(s, finished(c))
}

// finished answers a request with what came of it.
func finished(c call) func(error) {
	return func(err error) {
		if err != nil {
			c.refuse(err.Error())
			return
		}
		c.ok()
	}
}

// control changes a publication or a subscription.
func (p *person) control(c call, sends bool) work {
	var q controlRequest
	if c.decode(&q) != nil {
		c.refuse(malformed)
		return nil
	}
	s, reason := p.own(q.ID, sends)
	switch {
	case reason != "":
		c.refuse(reason)
	case q.Operation == "pause" || q.Operation == "play":
		return p.pause(c, s, q)
	case sends:
		c.refuse("no mixer serves this room: it has no views")
	case q.Operation == "update":
		return p.redirect(c, s, q)
	default:
		c.refuse(malformed)
	}
	return nil
}

// redirect gives a subscription other tracks.
func (p *person) redirect(c call, s *session, q controlRequest) work {
	var u updateOf
	if json.Unmarshal(q.Data, &u) != nil {
		c.refuse(malformed)
		return nil
	}
	from := map[*section]string{}
	for _, section := range s.sections {
		want := u.Audio
		if section.kind == video {
			want = u.Video
		}
		if want == nil {
			continue
		}
		from[section] = section.from
		id := want.From
		if id == "" {
			id = section.from
		}
		track, reason := p.source(id, section.kind, want.Parameters)
		if reason != "" {
			c.refuse("Update subscription failed: " + reason)
			return nil
		}
		from[section] = track
	}
	for section, track := range from {
		section.from = track
	}
	return p.change(s, finished(c))
}

func (p *person) text(c call) work {
	var q textRequest
	switch {
	case c.decode(&q) != nil || q.To == "":
		c.refuse("Invalid receiver")
		return nil
	case q.To == "all":
		q.To = ""
	case !p.view.participant(q.To):
		c.refuse(fmt.Sprintf("Target participant does NOT exist: %s", q.To))
		return nil
	}
	return func(ctx context.Context) func() {
		err := p.seat.Text(ctx, q.To, q.Message)
		return func() { finished(c)(err) }
	}
}
