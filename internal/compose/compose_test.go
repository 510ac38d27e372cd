package compose

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func sources(t *rapid.T) (out []Source) {
	n := rapid.IntRange(0, 40).Draw(t, "n")
	for i := range n {
		out = append(out, Source{
			ID: fmt.Sprint("s", i), Screen: rapid.IntRange(0, 9).Draw(t, "screen") == 0, Spoke: rapid.Int64Range(0, 5).Draw(t, "spoke"),
		})
	}
	return out
}

// Whoever is there, tiles lie within the picture, apart from each other, on even
// places, as large as 16:9 allows, and in the order of the sources.
func TestArrange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layout := rapid.SampledFrom(Layouts).Draw(t, "layout")
		w := 2 * rapid.IntRange(160, 960).Draw(t, "w")
		h := 2 * rapid.IntRange(90, 540).Draw(t, "h")
		given := sources(t)
		tiles := Arrange(layout, w, h, given)
		if len(tiles) != min(len(given), MostTiles) {
			t.Fatalf("%d tiles of %d sources", len(tiles), len(given))
		}
		place := map[string]int{}
		for i, s := range given {
			place[s.ID] = i
		}
		covered := make([]bool, w/2*h/2)
		last, outside := -1, int64(-1)
		shown := map[string]bool{}
		for i, tile := range tiles {
			r := tile.Rect
			if r.X < 0 || r.Y < 0 || r.W <= 0 || r.H <= 0 || r.X+r.W > w || r.Y+r.H > h || (r.X|r.Y|r.W|r.H)&1 != 0 {
				t.Fatalf("%+v in %d x %d", r, w, h)
			}
			if ratio := float64(r.W) / float64(r.H); r.H > 40 && (ratio < 1.6 || ratio > 2) {
				t.Fatalf("%+v is not 16:9", r)
			}
			for y := r.Y / 2; y < (r.Y+r.H)/2; y++ {
				for x := r.X / 2; x < (r.X+r.W)/2; x++ {
					if covered[y*(w/2)+x] {
						t.Fatalf("%+v lies on another", r)
					}
					covered[y*(w/2)+x] = true
				}
			}
			shown[tile.ID] = true
			big := i == 0 && len(tiles) > 1 && (tile.Screen || layout == Speaker)
			if !big && place[tile.ID] < last {
				t.Fatalf("%s is out of order", tile.ID)
			}
			if !big {
				last = place[tile.ID]
			}
		}
		screens := 0
		for _, s := range given {
			if s.Screen {
				screens++
			}
			if !shown[s.ID] && !s.Screen {
				outside = max(outside, s.Spoke)
			}
		}
		for _, tile := range tiles {
			if !tile.Screen && tile.Spoke < outside {
				t.Fatalf("%s is shown, who has not spoken for longer than another who is not", tile.ID)
			}
		}
		if screens > 0 && len(tiles) > 0 && !tiles[0].Screen && len(tiles) > 1 {
			t.Fatal("the screen is not large")
		}
		for _, tile := range tiles[min(1, len(tiles)):] {
			if tiles[0].W < tile.W {
				t.Fatalf("%+v is larger than the first", tile)
			}
		}
	})
}

func TestUsualGrids(t *testing.T) {
	for n, want := range map[int]Rect{1: {0, 0, 1280, 720}, 2: {0, 180, 640, 360}, 4: {0, 0, 640, 360}, 9: {0, 0, 426, 238}, 16: {0, 0, 320, 180}} {
		var given []Source
		for i := range n {
			given = append(given, Source{ID: fmt.Sprint(i)})
		}
		if got := Arrange(Grid, 1280, 720, given)[0].Rect; got != want {
			t.Errorf("the first of %d is at %+v; want %+v", n, got, want)
		}
	}
}

// A tile changes nothing outside of its place, whatever the size of its picture.
func TestDraw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := func(name string, most int) int { return 2 * rapid.IntRange(1, most).Draw(t, name) }
		p, from := NewPicture(64, 48), NewPicture(size("w", 40), size("h", 40))
		from.Fill(Rect{0, 0, from.W, from.H}, 200)
		r := Rect{W: size("in w", 20), H: size("in h", 15)}
		r.X, r.Y = size("x", 10), size("y", 8)
		p.Draw(r, from)
		for y := range p.H {
			for x := range p.W {
				inside := x >= r.X && x < r.X+r.W && y >= r.Y && y < r.Y+r.H
				if got := p.Pix[y*p.W+x]; inside != (got == 200) {
					t.Fatalf("at %d,%d: %d", x, y, got)
				}
			}
		}
		for _, v := range p.Pix[p.W*p.H:] {
			if v != 128 {
				t.Fatal("colours changed")
			}
		}
	})
}

func level(n int, value int16) []int16 {
	out := make([]int16, n*Channels)
	for i := range out {
		out[i] = value
	}
	return out
}

// Sounds are added and bounded; each begins when enough of it is there, and lost
// packets leave a hole of their length.
func TestMixer(t *testing.T) {
	var m Mixer
	const packet = SampleRate / 50
	if got := m.Mix(packet); len(got) != packet*Channels || got[0] != 0 {
		t.Errorf("of nothing: %d samples", len(got))
	}
	for i := range 4 {
		if got := m.Mix(packet)[0]; got != 0 {
			t.Errorf("sound before it has begun: %d", got)
		}
		m.Push("a", uint32(i*packet), level(packet, 20000))
		m.Push("b", uint32(i*packet), level(packet, 15000))
	}
	if got := m.Mix(packet); got[0] != 32767 || got[len(got)-1] != 32767 {
		t.Errorf("loud sounds become %d", got[0])
	}
	m.Remove("b")
	m.Push("a", 6*packet, level(packet, 20000)) // two are lost
	for i, want := range []int16{20000, 20000, 20000, 0, 0, 20000, 0} {
		if got := m.Mix(packet)[0]; got != want {
			t.Errorf("packet %d: %d; want %d", i, got, want)
		}
	}
	for i := range 100 { // a clock that is too fast
		m.Push("a", uint32((7+i)*packet), level(packet, 1))
	}
	if waiting := len(m.sources["a"].samples) / Channels; waiting > mostAhead {
		t.Errorf("%d samples wait", waiting)
	}
}
