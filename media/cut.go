package media

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// cut is where the pictures of a film are cut.
type cut struct {
	Pieces []span `json:"pieces"`
	// Rate is how many pictures a second there are, as "30000/1001".
	Rate string `json:"rate"`
	// Offset is when the pictures begin, in seconds after the film.
	Offset float64 `json:"offset"`
}

// span is a piece of a film.
type span struct {
	// From and To are the times of the first picture and of that behind the last,
	// in units of the stream's time base; 0 is the beginning and the end. Reading
	// begins at Seek, in seconds.
	From int64   `json:"from"`
	To   int64   `json:"to"`
	Seek float64 `json:"seek"`
	// Frames is how many pictures there are.
	Frames int64 `json:"frames"`
}

// cuts reads where the key frames of a film are.
func (p *transcoding) cuts(ctx context.Context, env *environment) (cut, error) {
	args := append([]string{"-v", "error", "-of", "compact=nk=0", "-select_streams", fmt.Sprint(p.streams.video.Index),
		"-show_entries", "packet=pts,flags:stream=time_base,r_frame_rate:format=start_time"}, p.input.guards(env.tool.major())...)
	out, err := output(ctx, env.tool.FFprobe, append(args, p.input.name)...)
	if err != nil {
		return cut{}, fmt.Errorf("input: %w", err)
	}
	return cutAt(out, p.picture(p.Ladder[0]).deinterlaces(), p.refreshes(ctx, env))
}

// refreshes are the times of the key frames of which no later picture needs an
// earlier one (IDR pictures), so that reading may begin there. Containers call
// others key frames, too. None are known, and reading begins a key frame earlier,
// where that costs less than to find out or the container has no index of times.
func (p *transcoding) refreshes(ctx context.Context, env *environment) map[int64]bool {
	types := map[string]string{"h264": "5", "h265": "19-20"}[p.streams.video.Codec]
	if types == "" || !p.input.file() || !strings.HasPrefix(p.info.Container, "mov,") {
		return nil
	}
	args := append([]string{"-v", "error", "-nostdin", "-copyts"}, p.input.input(env.tool.major())...)
	out, err := output(ctx, env.tool.FFmpeg, append(args, "-map", fmt.Sprint("0:", p.streams.video.Index), "-c", "copy", "-bsf:v", "filter_units=pass_types="+types, "-f", "framecrc", "-")...)
	if err != nil {
		return nil
	}
	times := map[int64]bool{}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Split(line, ","); len(fields) > 2 && !strings.HasPrefix(line, "#") {
			if at, err := strconv.ParseInt(strings.TrimSpace(fields[2]), 10, 64); err == nil {
				times[at] = true
			}
		}
	}
	return times
}

// cutAt finds cuts in what ffprobe says of packets. Pictures must come at a
// constant rate, so that each has its place wherever it is encoded.
func cutAt(out []byte, fields bool, refreshes map[int64]bool) (cut, error) {
	var c cut
	var times, keys []int64
	base, start := 0.0, 0.0
	for line := range strings.Lines(string(out)) {
		values := map[string]string{}
		for _, member := range strings.Split(strings.TrimSpace(line), "|") {
			key, value, _ := strings.Cut(member, "=")
			values[key] = value
		}
		switch {
		case strings.HasPrefix(line, "packet|"):
			if strings.Contains(values["flags"], "D") {
				continue // it is decoded, and not shown
			}
			at, err := strconv.ParseInt(values["pts"], 10, 64)
			if err != nil {
				return c, atInput(fault("split", "needs a time for each picture, which the input lacks: leave it out"))
			}
			times = append(times, at)
			if strings.HasPrefix(values["flags"], "K") {
				keys = append(keys, at)
			}
		case strings.HasPrefix(line, "stream|"):
			c.Rate, base = values["r_frame_rate"], fraction(values["time_base"])
		case strings.HasPrefix(line, "format|"):
			start, _ = strconv.ParseFloat(values["start_time"], 64)
		}
	}
	rate := fraction(c.Rate)
	if len(times) == 0 || rate == 0 || base == 0 {
		return c, nil
	}
	slices.Sort(times)
	slices.Sort(keys)
	for i, at := range times {
		if off := float64(at-times[0])*base - float64(i)/rate; fields || math.Abs(off) > max(base, 0.001)*1.01 {
			return c, atInput(fault("split", "is for films whose pictures are whole and come at a constant rate: leave it out"))
		}
	}
	c.Offset = float64(times[0])*base - start
	c.divide(times, keys, base)
	for i, piece := range c.Pieces {
		if i > 0 && refreshes[piece.From] {
			c.Pieces[i].Seek = float64(piece.From)*base + 0.5/rate // which is found also where it is rounded
		}
	}
	return c, nil
}

func (c *cut) divide(times, keys []int64, base float64) {
	length := float64(times[len(times)-1]-times[0]) * base
	each := min(max(length/mostPieces, shortestPiece), longestPiece)
	from, before := times[0], times[0]
	var own []int64 // where pieces begin
	for _, key := range keys {
		if float64(key-from)*base >= each && float64(times[len(times)-1]-key)*base >= each/2 {
			from = key
			own = append(own, key)
		}
	}
	at := 0
	for i := 0; i <= len(own); i++ {
		piece := span{}
		end := len(times)
		if i > 0 {
			piece.From = own[i-1]
			// The pictures before a key frame may be stored behind it.
			for _, key := range keys {
				if key < piece.From {
					before = key
				}
			}
			piece.Seek = float64(before) * base
		}
		if i < len(own) {
			piece.To = own[i]
			end, _ = slices.BinarySearch(times, own[i])
		}
		piece.Frames, at = int64(end-at), end
		c.Pieces = append(c.Pieces, piece)
	}
}
