package compose

import (
	"cmp"
	"fmt"
	"slices"
)

// Layout is how tiles are arranged.
type Layout string

// The layouts. In both a shared screen is large, beside all others.
const (
	// Grid gives each source a tile of the same size.
	Grid Layout = "grid"
	// Speaker has who spoke last large.
	Speaker Layout = "speaker"
)

// Layouts are all of them.
var Layouts = []Layout{Grid, Speaker}

// Check says what is wrong with the name of a layout; "" is Grid.
func (l Layout) Check() error {
	if l == "" || slices.Contains(Layouts, l) {
		return nil
	}
	return fmt.Errorf("layout: %q is not one of %q", l, Layouts)
}

// MostTiles is how many pictures are shown at most.
const MostTiles = 16

// Source is a picture that may be shown.
type Source struct {
	ID     string
	Screen bool
	// Spoke says when its owner spoke last, in any unit that rises; 0 is never.
	Spoke int64
}

// Rect is a part of a picture. All of it is even, as 4:2:0 needs.
type Rect struct{ X, Y, W, H int }

// Tile is a source at its place.
type Tile struct {
	Source
	Rect
}

// Arrange places sources in a picture of width and height, which are even. Where
// there are more than MostTiles, screens come first, and then those who spoke last.
// Those shown keep the order of sources, so that tiles move only where they must.
func Arrange(l Layout, width, height int, sources []Source) []Tile {
	shown := choose(sources)
	if at := large(l, shown); at >= 0 && len(shown) > 1 {
		others := slices.Delete(slices.Clone(shown), at, at+1)
		// The column of the others is a quarter as wide, in two where they are many.
		columns := 1
		if len(others) > 4 {
			columns = 2
		}
		strip := even(width / 4)
		tiles := []Tile{{shown[at], fit(Rect{0, 0, width - strip, height})}}
		return append(tiles, grid(Rect{width - strip, 0, strip, height}, columns, others)...)
	}
	columns := 1
	for columns*columns < len(shown) {
		columns++
	}
	return grid(Rect{0, 0, width, height}, columns, shown)
}

// choose leaves out those for whom there is no room.
func choose(sources []Source) []Source {
	if len(sources) <= MostTiles {
		return sources
	}
	byRank := slices.Clone(sources)
	slices.SortStableFunc(byRank, func(a, b Source) int {
		switch {
		case a.Screen == b.Screen:
			return cmp.Compare(b.Spoke, a.Spoke)
		case a.Screen:
			return -1
		}
		return 1
	})
	in := map[string]bool{}
	for _, s := range byRank[:MostTiles] {
		in[s.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(sources), func(s Source) bool { return !in[s.ID] })
}

// large is which of the sources is large, -1 for none.
func large(l Layout, shown []Source) int {
	best := -1
	for i, s := range shown {
		if s.Screen {
			return i
		}
		if l == Speaker && (best < 0 || s.Spoke > shown[best].Spoke) {
			best = i
		}
	}
	return best
}

// grid fills rows of so many columns; the last row is in the middle.
func grid(in Rect, columns int, sources []Source) (tiles []Tile) {
	if len(sources) == 0 {
		return nil
	}
	rows := (len(sources) + columns - 1) / columns
	w, h := even(in.W/columns), even(in.H/rows)
	if columns == 1 && w*9 < h*16 && rows > 1 { // a column is as high as its tiles
		h = min(h, even(w*9/16))
	}
	top := in.Y + even((in.H-rows*h)/2)
	for i, s := range sources {
		row, column := i/columns, i%columns
		inRow := min(columns, len(sources)-row*columns)
		left := in.X + even((in.W-inRow*w)/2)
		tiles = append(tiles, Tile{s, fit(Rect{left + column*w, top + row*h, w, h})})
	}
	return tiles
}

// fit is the largest rectangle of 16:9 in the middle of a cell.
func fit(cell Rect) Rect {
	w, h := cell.W, even(cell.W*9/16)
	if h > cell.H {
		w, h = even(cell.H*16/9), cell.H
	}
	return Rect{cell.X + even((cell.W-w)/2), cell.Y + even((cell.H-h)/2), w, h}
}

func even(n int) int { return n &^ 1 }
