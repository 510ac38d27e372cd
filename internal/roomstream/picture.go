package roomstream

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/compose"
	"github.com/muster-fleet/muster/internal/roomsub"
)

// restartTime is the least time between two starts of a decoder that ended by itself.
const restartTime = time.Second

// picture is a track that is shown. Its decoder is replaced when its tile gets
// another size, once the next one has given a picture.
type picture struct {
	start func(roomsub.Codec, roomsub.Frame, form, time.Time, func(*decoder, *compose.Picture)) (*decoder, error)
	// failed hears of a decoder that cannot be started.
	failed func(error)

	mu     sync.Mutex
	closed bool
	// from is the connection that frames are taken of.
	from int64
	want form
	// at present frames go to now, and to next where that is to replace it.
	now, next *decoder
	began     time.Time // when a decoder was started last
	last      *compose.Picture
	all       []*decoder // those that have not ended yet
}

// resize says how the picture is wanted.
func (p *picture) resize(f form) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.want = f
}

// latest is the last picture, nil before there is one.
func (p *picture) latest() *compose.Picture {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// Take is roomsub.Taker's.
func (p *picture) Take(from int64, c roomsub.Codec, f roomsub.Frame, now time.Time) (taken, askKey bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || from < p.from {
		return false, false
	}
	if from > p.from && !f.Key {
		return false, true
	}
	p.from = from
	p.drop(c, f)
	if !p.suits() {
		if f.Key && now.Sub(p.began) > restartTime {
			p.begin(c, f, now)
		} else {
			askKey = now.Sub(p.began) > restartTime
		}
	}
	for _, d := range []*decoder{p.now, p.next} {
		taken = d != nil && d.take(f, now) || taken
	}
	return taken, askKey
}

// drop forgets decoders that have ended, or do not suit what comes now.
func (p *picture) drop(c roomsub.Codec, f roomsub.Frame) {
	for _, d := range []**decoder{&p.now, &p.next} {
		one := *d
		if one == nil || !one.ended() && one.codec.Matroska == c.Matroska && (f.Private == nil || bytes.Equal(f.Private, one.private)) {
			continue
		}
		one.stop()
		*d = nil
	}
}

// suits reports whether there is, or is about to be, a decoder of the right form.
func (p *picture) suits() bool {
	if p.next != nil {
		return p.next.form == p.want
	}
	return p.now != nil && p.now.form == p.want
}

// begin starts a decoder. The caller has locked p.
func (p *picture) begin(c roomsub.Codec, f roomsub.Frame, now time.Time) {
	if p.next != nil {
		p.next.stop()
	}
	p.began = now
	d, err := p.start(c, f, p.want, now, p.decoded)
	if err != nil {
		p.failed(err)
		p.next = nil
		return
	}
	p.all = append(slices.DeleteFunc(p.all, (*decoder).ended), d)
	p.next = d
}

// decoded takes a picture of a decoder.
func (p *picture) decoded(d *decoder, one *compose.Picture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch d {
	case p.next:
		if p.now != nil {
			p.now.stop()
		}
		p.now, p.next = d, nil
	case p.now:
	default:
		return // one that was replaced
	}
	p.last = one
}

// close ends the decoders.
func (p *picture) close() {
	p.mu.Lock()
	p.closed = true
	all := p.all
	p.mu.Unlock()
	for _, d := range all {
		d.stop()
	}
	for _, d := range all {
		<-d.over
	}
}
