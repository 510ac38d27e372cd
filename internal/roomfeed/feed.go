package roomfeed

import (
	"net/http"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/roomsub"
)

// mostWaiting is how many frames may wait for one who reads slowly.
const mostWaiting = 500

// feed is a track, or a picture and its sound, as programs of this machine read
// them. Each reader begins with a key frame of the first track.
type feed struct {
	*roomsub.Loopback
	first  *track
	second *track // nil for one track

	mu      sync.Mutex
	readers map[*reader]bool
	ended   bool
}

// reader is one who reads.
type reader struct {
	frames  chan piece
	waiting bool // for a key frame: at the beginning, and after it was too slow
}

// piece is a frame of a track, by its number, that came at a time.
type piece struct {
	roomsub.Frame
	track int
	at    time.Time
}

// newFeed serves one track, or two.
func newFeed(tracks int) (*feed, error) {
	f := &feed{readers: map[*reader]bool{}}
	f.first = newTrack(f, 1)
	if tracks > 1 {
		f.second = newTrack(f, 2)
	}
	var err error
	f.Loopback, err = roomsub.Serve(f.serve)
	return f, err
}

// leaveOut goes on without the second track. It must be called before the first reader comes.
func (f *feed) leaveOut() {
	f.second.leave()
	f.second = nil
}

// end lets all who read come to the end.
func (f *feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for r := range f.readers {
		f.drop(r)
	}
}

func (f *feed) close() {
	f.end()
	f.Loopback.Close()
}

// drop ends a reader. The caller has locked f.
func (f *feed) drop(r *reader) {
	if f.readers[r] {
		delete(f.readers, r)
		close(r.frames)
	}
}

// hand gives a frame of a track to all who read, and reports whether one of them needs
// a key frame.
func (f *feed) hand(t *track, p piece) (askKey bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		if r.waiting && (t != f.first || !p.Key) {
			askKey = askKey || t == f.first
			continue
		}
		select {
		case r.frames <- p:
			r.waiting = false
		default: // what follows needs what is lost here
			r.waiting = true
		}
	}
	return askKey
}

// changed ends what was begun with another codec: it cannot go on in the same file.
func (f *feed) changed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		if !r.waiting {
			f.drop(r)
		}
	}
}

func (f *feed) serve(w http.ResponseWriter, r *http.Request) {
	one := &reader{frames: make(chan piece, mostWaiting), waiting: true}
	f.mu.Lock()
	if !f.ended {
		f.readers[one] = true
	} else {
		close(one.frames)
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.drop(one)
	}()
	w.Header().Set("Content-Type", "video/x-matroska")
	var out *roomsub.Writer
	var began time.Time
	for {
		var p piece
		var more bool
		select {
		case p, more = <-one.frames:
		case <-r.Context().Done():
		}
		if !more {
			break
		}
		if out == nil {
			var err error
			if out, err = f.begin(w, p); err != nil {
				return
			}
			began = p.at
		}
		if out.WriteTo(p.track, p.Key, max(0, p.at.Sub(began).Milliseconds()), p.Data) != nil {
			break
		}
	}
	if out != nil {
		_ = out.Close() // who reads no more does not miss the end
	}
}

// begin begins the tracks with the first key frame.
func (f *feed) begin(w http.ResponseWriter, p piece) (*roomsub.Writer, error) {
	entries := []any{roomsub.Entry(1, f.first.known(), p.Frame)}
	if f.second != nil {
		entries = append(entries, roomsub.Entry(2, f.second.known(), roomsub.Frame{}))
	}
	return roomsub.Mux(roomsub.Live(w), false, p.at, entries...)
}

// track is a track of a feed, as roomsub.Taker.
type track struct {
	feed   *feed
	number int
	ready  chan struct{} // closed when its codec is known, and it can begin

	mu    sync.Mutex
	left  bool // it is not in the feed
	from  int64
	codec roomsub.Codec
}

func newTrack(f *feed, number int) *track {
	return &track{feed: f, number: number, ready: make(chan struct{})}
}

func (t *track) known() roomsub.Codec {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.codec
}

func (t *track) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = true
}

// Take is roomsub.Taker's.
func (t *track) Take(from int64, c roomsub.Codec, f roomsub.Frame, now time.Time) (taken, askKey bool) {
	switch taken, other := t.accept(from, c, f.Key); {
	case !taken:
		return false, true
	case other:
		t.feed.changed()
	}
	return true, t.feed.hand(t, piece{f, t.number, now})
}

// accept reports whether a frame of a connection is taken, and whether it is the first
// of another codec.
func (t *track) accept(from int64, c roomsub.Codec, key bool) (taken, other bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left || from < t.from || from > t.from && !key {
		return false, false
	}
	if t.codec.Name == "" {
		close(t.ready)
	}
	other = t.codec.Name != "" && t.codec.Name != c.Name
	t.from, t.codec = from, c
	return true, other
}
