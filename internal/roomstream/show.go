package roomstream

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/childproc"
	"github.com/muster-fleet/muster/internal/compose"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomsub"
)

// emptyTile is how bright a tile is that has no picture yet; 16 is black.
const emptyTile = 40

// show is what is seen and heard of a room.
type show struct {
	spec    Spec
	room    *roomsub.Room
	program string // ffmpeg
	launch  *childproc.Launcher
	sounds  sounds
	// heard and seen are what is received, by track.
	heard, seen map[string]*received

	mu    sync.Mutex
	tiles []shownTile
	// spoke counts up: who speaks has the highest number, by track.
	spoke map[string]int64
	turn  int64
}

// received is a track with what it goes to, of which one is set.
type received struct {
	from    *roomsub.Subscription
	picture *picture
	voice   *voice
}

// shownTile is a picture at its place.
type shownTile struct {
	compose.Rect
	picture *picture
}

func newShow(s Spec, from *roomsub.Room, program string) *show {
	return &show{
		spec: s, room: from, program: program, launch: childproc.NewLauncher(),
		heard: map[string]*received{}, seen: map[string]*received{}, spoke: map[string]int64{},
	}
}

// close ends what is left. run has ended.
func (s *show) close() { s.launch.Close() }

// run receives what is in the room until ctx ends, or the room.
func (s *show) run(ctx context.Context) error {
	defer s.end()
	speaking, err := s.room.Conn.Subscribe(ctx, room.Topic, room.KeySpeakers(s.room.Name), s.speakers)
	if err != nil {
		return err
	}
	defer func() { _ = speaking.Close() }()
	return s.room.Watch(ctx, func(now *room.State) error {
		if now != nil && now.Settled { // before, people may be missing who are still there
			s.follow(ctx, *now)
		}
		return nil
	})
}

// end ends all that is received.
func (s *show) end() {
	for _, tracks := range []map[string]*received{s.heard, s.seen} {
		for _, one := range tracks {
			one.from.Cancel()
		}
		for _, one := range tracks {
			s.drop(one)
		}
	}
}

// speakers hears who speaks: the loudest first.
func (s *show) speakers(_ string, body json.RawMessage) {
	var n room.Notice
	if json.Unmarshal(body, &n) != nil || n.Room != s.room.Name {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, track := range slices.Backward(n.Tracks) {
		s.turn++
		s.spoke[track] = s.turn
	}
}

// follow receives what is in the room, and arranges it.
func (s *show) follow(ctx context.Context, now room.State) {
	heard, tiles := map[string]bool{}, s.arrange(now)
	tracks, publishers := map[string]room.Track{}, map[string]string{}
	for _, p := range now.Participants {
		for _, t := range p.Tracks {
			tracks[t.ID], publishers[t.ID] = t.Track, p.ID
			if t.Sound() {
				heard[t.ID] = true
				if s.heard[t.ID] == nil {
					v := &voice{id: t.ID, all: &s.sounds}
					s.heard[t.ID] = &received{voice: v, from: s.room.Subscribe(ctx, p.ID, t.Track, v)}
				}
			}
		}
	}
	s.keep(s.heard, heard)
	seen := map[string]bool{}
	var shown []shownTile
	for _, t := range tiles {
		seen[t.ID] = true
		one := s.seen[t.ID]
		want := form{t.W, t.H, t.Screen}
		if one == nil {
			p := &picture{start: s.decode, failed: s.decodeFailed, want: want}
			one = &received{picture: p, from: s.room.Subscribe(ctx, publishers[t.ID], tracks[t.ID], p)}
			s.seen[t.ID] = one
		}
		one.picture.resize(want)
		one.from.View(t.H)
		shown = append(shown, shownTile{t.Rect, one.picture})
	}
	s.mu.Lock()
	if len(s.tiles) != len(shown) {
		s.room.Log.Info("picture", "tiles", len(shown), "sounds", len(heard))
	}
	s.tiles = shown
	s.mu.Unlock()
	s.keep(s.seen, seen)
}

// arrange chooses and places what is seen.
func (s *show) arrange(now room.State) []compose.Tile {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sources []compose.Source
	known := map[string]int64{}
	for _, p := range now.Participants {
		spoke := int64(0)
		for _, t := range p.Tracks {
			known[t.ID] = s.spoke[t.ID]
			spoke = max(spoke, s.spoke[t.ID])
		}
		for _, t := range p.Tracks {
			if !t.Sound() && !t.Muted {
				sources = append(sources, compose.Source{ID: t.ID, Screen: t.Source == "screen", Spoke: spoke})
			}
		}
	}
	s.spoke = known
	return compose.Arrange(compose.Layout(s.spec.Layout), s.spec.Width, s.spec.Height, sources)
}

// keep drops the tracks that are not wanted any more.
func (s *show) keep(tracks map[string]*received, wanted map[string]bool) {
	for id, one := range tracks {
		if !wanted[id] {
			delete(tracks, id)
			s.drop(one)
		}
	}
}

func (s *show) drop(one *received) {
	one.from.Stop()
	if one.picture != nil {
		one.picture.close()
	} else {
		one.voice.close()
	}
}

func (s *show) decode(c roomsub.Codec, first roomsub.Frame, f form, now time.Time, show func(*decoder, *compose.Picture)) (*decoder, error) {
	return startDecoder(s.launch, s.program, c, first, f, now, show)
}

func (s *show) decodeFailed(err error) { s.room.Log.Warn("decoder cannot be started", "err", err) }

// mostBehind is how far the film may be behind the clock before it leaves out what
// is missing.
const mostBehind = time.Second

// film shows a moment for each picture of a second, until ctx ends.
func (s *show) film(ctx context.Context, f *film) {
	began := time.Now()
	for n := int64(0); ; n++ {
		at := s.momentAt(n)
		wait := time.Until(began.Add(at))
		if wait < -mostBehind {
			n += -int64(wait) * int64(s.spec.FPS) / int64(time.Second)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		m := moment{at: at, sound: s.sounds.mix(s.samplesTo(n+1) - s.samplesTo(n))}
		if f.watched() {
			m.picture = s.draw()
		}
		f.show(m)
	}
}

// momentAt is when the nth picture is shown; samplesTo is how many samples come
// before it.
func (s *show) momentAt(n int64) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(s.spec.FPS)
}

func (s *show) samplesTo(n int64) int { return int(n * compose.SampleRate / int64(s.spec.FPS)) }

// draw makes the picture of this moment.
func (s *show) draw() *compose.Picture {
	s.mu.Lock()
	tiles := s.tiles
	s.mu.Unlock()
	out := compose.NewPicture(s.spec.Width, s.spec.Height)
	for _, t := range tiles {
		if p := t.picture.latest(); p != nil {
			out.Draw(t.Rect, p)
		} else {
			out.Fill(t.Rect, emptyTile)
		}
	}
	return out
}
