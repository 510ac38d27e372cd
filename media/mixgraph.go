package media

import (
	"fmt"
	"math"
	"strings"
)

// mixGraph is the filter graph of a mix: each picture is fitted into its tile,
// the tiles are put together, the sounds are added up.
type mixGraph struct {
	mixing
	has []has
}

func (g mixGraph) pictures() int {
	n := 0
	for _, h := range g.has {
		if h.video {
			n++
		}
	}
	return n
}

func (g mixGraph) sounds() int {
	n := 0
	for _, h := range g.has {
		if h.audio && g.Audio.Codec != None {
			n++
		}
	}
	return n
}

func (g mixGraph) text() string {
	var parts []string
	if n := g.pictures(); n > 0 {
		parts = append(parts, g.video(grid(n, g.Width, g.Height))...)
	}
	if g.sounds() > 0 {
		parts = append(parts, g.audio()...)
	}
	return strings.Join(parts, ";")
}

// tile is where a picture goes.
type tile struct{ x, y, width, height int }

// grid lays n pictures out in rows, as near to a square of tiles as it can. The
// tiles of the last row are in the middle. All numbers are even.
func grid(n, width, height int) []tile {
	columns := int(math.Ceil(math.Sqrt(float64(n))))
	rows := (n + columns - 1) / columns
	w, h := width/columns&^1, height/rows&^1
	tiles := make([]tile, n)
	for i := range tiles {
		row := i / columns
		left := (width - min(columns, n-row*columns)*w) / 2 &^ 1
		tiles[i] = tile{left + i%columns*w, row * h, w, h}
	}
	return tiles
}

// video fits each picture into its tile without changing its shape; all begin
// at second 0, so that they go with their sounds. A picture that ends gets one more, black frame, which then stays. The first overlay is
// on black, which gives the size.
func (g mixGraph) video(tiles []tile) []string {
	var parts []string
	var row, at strings.Builder
	for i, h := range g.has {
		if !h.video {
			continue
		}
		t := tiles[len(parts)]
		prepared := picture{from: h.streams.video, width: t.width, height: t.height, fps: rateArg(g.FPS), beginsAtZero: true, handling: g.Handling, bt709: true}
		before := ""
		if start := g.Inputs[i].StartSeconds; start > 0 {
			before = ":start_duration=" + seconds(start)
		}
		parts = append(parts, fmt.Sprintf("[%s]%s,tpad=stop=1%s:color=black[v%d]", h.source(i, "v"), prepared.filters(), before, i))
		fmt.Fprintf(&row, "[v%d]", i)
		fmt.Fprintf(&at, "|%d_%d", t.x, t.y)
	}
	fit := fmt.Sprintf("pad=%d:%d,setsar=1[v]", g.Width, g.Height)
	if len(tiles) == 1 {
		return append(parts, row.String()+fit)
	}
	return append(parts, fmt.Sprintf("%sxstack=inputs=%d:layout=%s:fill=black,%s", row.String(), len(tiles), at.String()[1:], fit))
}

// audio adds the sounds up, without making each softer when there are more. A
// limiter keeps loud ones from distortion.
func (g mixGraph) audio() []string {
	var parts []string
	var row strings.Builder
	for i, h := range g.has {
		if !h.audio {
			continue
		}
		volume := 1.0
		if v := g.Inputs[i].Volume; v != nil {
			volume = *v
		}
		delay := ""
		if start := g.Inputs[i].StartSeconds; start > 0 {
			delay = fmt.Sprintf("adelay=delays=%.0f:all=1,", start*1000)
		}
		parts = append(parts, fmt.Sprintf("[%s]%s,%saformat=sample_fmts=fltp:channel_layouts=stereo,volume=%s[a%d]", h.source(i, "a"), joined(h.streams.unarranged(), "aresample=48000:async=1:first_pts=0"), delay, seconds(volume), i))
		fmt.Fprintf(&row, "[a%d]", i)
	}
	return append(parts, fmt.Sprintf("%samix=inputs=%d:duration=longest:normalize=0,alimiter=limit=0.95:level=false[a]", row.String(), len(parts)))
}

// source is the label of a stream of input i: that which was picked, else the
// first.
func (h has) source(i int, kind string) string {
	switch {
	case kind == "v" && h.streams.video != nil:
		return fmt.Sprintf("%d:%d", i, h.streams.video.Index)
	case kind == "v":
		return fmt.Sprintf("%d:V:0", i)
	case len(h.streams.audio) > 0:
		return fmt.Sprintf("%d:%d", i, h.streams.audio[0].Index)
	}
	return fmt.Sprintf("%d:a:0", i)
}
