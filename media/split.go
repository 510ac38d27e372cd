package media

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/node"
)

// The kinds of work that a split transcoding asks for.
const (
	pieceKind = "piece"
	joinKind  = "join"
)

// Pieces are so long that about mostPieces make a film, within these bounds, in
// seconds.
const (
	mostPieces    = 24
	shortestPiece = 10.0
	longestPiece  = 120.0
)

// piecesAge is how old pieces are of which nobody makes a film any more.
const piecesAge = 24 * time.Hour

// piecesDir is what the directory of pieces is called, beside the first output.
var piecesDir = lazily(`^\..+\.[^.]+\.pieces$`)

// splittable checks what cannot be with split.
func (p *transcoding) splittable() error {
	if !p.Split {
		return nil
	}
	switch {
	case !p.input.file():
		return fault("split", "is for files that all workers see, and the input is a URL: leave it out")
	case p.container.word == "ts":
		return fault("split", "cannot be with ts: choose mp4, mkv or webm")
	case p.StartSeconds > 0 || p.DurationSeconds > 0:
		return fault("split", "cannot be with start_seconds or duration_seconds: leave one of them out")
	case p.TwoPass || p.Loudness != nil:
		return fault("split", "cannot be with two_pass or loudness, which look at the whole film: leave one of them out")
	case p.Subtitles == SubtitlesBurn:
		return fault("split", "cannot be with subtitles burn: choose keep or none")
	case len(p.FFmpegArgs) > 0:
		return fault("split", "cannot be with ffmpeg_args, of which nobody knows what they do to a piece: leave one of them out")
	case p.OnShort == ShortWarns:
		return fault("split", "cannot be with on_short warn: a piece that is short has no place in the film")
	}
	for i, r := range p.Ladder {
		if r.FPS != 0 {
			return fault(fmt.Sprintf("ladder[%d].fps", i), "cannot be with split, whose pieces keep the pictures of the input: leave it out")
		}
		if r.Codec == "vp8" {
			return fault(fmt.Sprintf("ladder[%d].codec", i), "vp8 cannot be with split: choose another")
		}
	}
	return nil
}

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

// splitPlan is what all pieces of a film have in common. It lies beside them: the
// plan of a task has room for little.
type splitPlan struct {
	Spec TranscodeSpec `json:"spec"`
	cut
	Sound    bool      `json:"sound"`
	Warnings []Warning `json:"warnings"`
	// Made are directories that were made for the results.
	Made []string `json:"made"`
}

func planFile(dir string) string { return filepath.Join(dir, "plan.json") }

// read reads the plan in a directory of pieces. A worker that does not see it
// lacks the film, too.
func (p *splitPlan) read(dir string) error {
	raw, err := os.ReadFile(planFile(dir))
	if err == nil {
		err = json.Unmarshal(raw, p)
	}
	return sorted(err, place{})
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

// pieceSpec asks for some of the pictures of a transcoding, or for its sound.
type pieceSpec struct {
	// Dir is where the pieces and their plan are.
	Dir string `json:"dir"`
	// Number is the piece's, from 0; Sound is set in the place of it.
	Number int  `json:"number"`
	Sound  bool `json:"sound"`
}

// joinSpec asks for a film of its pieces, or, if Clean is set, for their end.
type joinSpec struct {
	Dir   string `json:"dir"`
	Clean bool   `json:"clean"`
}

// splitDetail is the detail of a transcoding that is to go on in pieces.
type splitDetail struct {
	Plan     muster.TaskPlan `json:"plan"`
	Warnings []Warning       `json:"warnings,omitempty"`
}

// split works out the pieces; false is that there is nothing to cut.
func (p *transcoding) split(ctx context.Context, env *environment, made []string, warn *warnings) (bool, error) {
	if !p.Split {
		return false, nil
	}
	if !env.parts {
		warn.add(WarnSplit, "the task was not begun by a run that waits for its end, and that could run the pieces")
		return false, nil
	}
	c, err := p.cuts(ctx, env)
	if err != nil || len(c.Pieces) < 2 {
		return false, err
	}
	sweepPieces(filepath.Dir(p.outputs[0]))
	plan := splitPlan{Spec: p.TranscodeSpec, cut: c, Sound: len(p.streams.audio)+len(p.streams.subtitles) > 0, Warnings: *warn, Made: made}
	raw, err := json.Marshal(plan)
	if err != nil {
		return false, err
	}
	name := "." + filepath.Base(p.outputs[0]) + "." + env.node + ".pieces"
	dir := filepath.Join(filepath.Dir(p.outputs[0]), name)
	if err := first(os.RemoveAll(dir), os.Mkdir(dir, 0o777), os.WriteFile(planFile(dir), raw, 0o666)); err != nil {
		return false, fmt.Errorf("output: %w", err)
	}
	d := splitDetail{Warnings: *warn}
	d.Plan, err = plan.tasks(p.beside(name))
	if err == nil {
		env.out.Report(node.Progress{Share: 0, Detail: d})
	}
	return true, err
}

// beside is a name beside the first output, as the spec has it: other workers may
// see that elsewhere.
func (p *transcoding) beside(name string) string {
	raw, _ := json.Marshal(p.TranscodeSpec)
	output := filepath.ToSlash(append(transcodeOutputs(raw), "")[0])
	if scheme, rest, is := strings.Cut(output, ":"); is && scheme == mountScheme {
		return mountScheme + ":" + path.Join(path.Dir(rest), name)
	}
	return path.Join(path.Dir(output), name)
}

// tasks are the pieces, the sound first, as it takes longest, and what follows.
func (p splitPlan) tasks(dir string) (plan muster.TaskPlan, err error) {
	add := func(kind string, s any) json.RawMessage {
		raw, wrong := json.Marshal(map[string]any{kind: s})
		err = errors.Join(err, wrong)
		return raw
	}
	if p.Sound {
		plan.Parts = append(plan.Parts, add(pieceKind, pieceSpec{Dir: dir, Sound: true}))
	}
	for i := range p.Pieces {
		plan.Parts = append(plan.Parts, add(pieceKind, pieceSpec{Dir: dir, Number: i}))
	}
	plan.Then, plan.Otherwise = add(joinKind, joinSpec{Dir: dir}), add(joinKind, joinSpec{Dir: dir, Clean: true})
	return plan, err
}

// sweepPieces removes what was left of films that were not made.
func sweepPieces(above string) {
	entries, _ := os.ReadDir(above)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() && piecesDir().MatchString(e.Name()) && time.Since(info.ModTime()) > piecesAge {
			_ = os.RemoveAll(filepath.Join(above, e.Name()))
		}
	}
}

// inPieces finds and checks the directory of pieces.
func (o Options) inPieces(name string) (string, error) {
	dir, err := o.target("dir", name)
	if err == nil && (!dir.file() || !piecesDir().MatchString(filepath.Base(dir.name))) {
		err = fault("dir", "%q is no directory of pieces", name)
	}
	return dir.name, err
}

// nut holds all codecs with exact times.
var nut = container{word: "nut", muxer: "nut"}

func pieceFile(dir string, number, rung int) string {
	return filepath.Join(dir, fmt.Sprintf("%05d-%d.nut", number, rung))
}

func soundFile(dir string, c container) string { return filepath.Join(dir, "sound."+c.word) }

// piecing is a piece that was checked.
type piecing struct {
	pieceSpec
	span
	transcoding
	dir string
}

func piecePlan(t *Tool, o Options, s pieceSpec) (piecing, error) {
	p := piecing{pieceSpec: s}
	var err error
	if p.dir, err = o.inPieces(s.Dir); err != nil {
		return p, err
	}
	var plan splitPlan
	if err := plan.read(p.dir); err != nil {
		return p, err
	}
	if !s.Sound {
		if s.Number < 0 || s.Number >= len(plan.Pieces) {
			return p, fault("number", "%d is that of no piece", s.Number)
		}
		p.span = plan.Pieces[s.Number]
	}
	p.transcoding, err = transcodePlan(t, o, plan.Spec)
	return p, err
}

func piece(ctx context.Context, env *environment, p piecing) error {
	var unsaid warnings // they are said of the whole
	if err := p.look(ctx, env, &unsaid); err != nil {
		return err
	}
	files := results{existing: Replace, node: env.node}
	for i := range p.Ladder {
		files.paths = append(files.paths, pieceFile(p.dir, p.Number, i))
	}
	if p.Sound {
		files.paths = []string{soundFile(p.dir, p.container)}
	}
	if _, err := files.prepare(); err != nil {
		return err
	}
	defer files.discard()
	partial := files.partials()
	total := float64(p.Frames) / max(1, p.streams.video.FPS)
	want := promise{input: p.input, mayBeEmpty: map[string]bool{"subtitle": true}}
	var args []string
	if !p.Sound {
		args = p.pictures(env.tool.major(), partial)
	} else {
		total = p.info.Seconds
		sound := p.streams
		sound.video = nil
		want.extent = sound.lasts(p.info)
		want.length = func() float64 { return env.longest(ctx, partial) }
		args = p.soundAlone(env.tool.major(), partial[0])
	}
	var last Stats
	said, err := env.ffmpeg(ctx, args, func(s Stats) {
		last = s
		env.out.Report(node.Progress{Share: s.share(total), Detail: transcodeDetail{Stats: s}})
	})
	if err == nil {
		err = want.kept(said, last.Seconds, &unsaid)
	}
	if err == nil && !p.Sound {
		for i := range p.Ladder {
			err = cmp.Or(err, said.has(i, p.Frames, p.Number))
		}
	}
	if err != nil {
		return err
	}
	env.out.Report(node.Progress{Share: 1, Detail: transcodeDetail{Stats: last}})
	return files.publish()
}

// has checks how many pictures an output has.
func (j *journal) has(output int, want int64, number int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range j.tracks {
		if t.output == output && t.kind == "video" && t.packets != want {
			return atInput(fmt.Errorf("split: piece %d has %d pictures, not %d: leave split out", number, t.packets, want))
		}
	}
	return nil
}

// pictures are the arguments for a piece. What lies before From is decoded, and
// left out: the pictures that are shown before a key frame may refer to it.
func (p piecing) pictures(major int, outputs []string) []string {
	t := p.transcoding
	t.container, t.Audio, t.streams.audio, t.Subtitles = nut, Audio{Codec: None}, nil, None
	var trim []string
	if p.From != 0 {
		t.before = []string{"-copyts", "-noaccurate_seek", "-seek_timestamp", "1", "-ss", seconds(p.Seek)}
		trim = append(trim, fmt.Sprint("start_pts=", p.From))
	} else {
		t.before = []string{"-copyts"}
	}
	if p.To != 0 {
		trim = append(trim, fmt.Sprint("end_pts=", p.To))
	}
	if len(trim) > 0 {
		t.cut = "trim=" + strings.Join(trim, ":") + ","
	}
	t.cut += "setpts=PTS-STARTPTS,"
	return t.args(major, outputs)
}

func (p piecing) soundAlone(major int, output string) []string {
	args := append(p.input.input(major), "-vn")
	args = append(append(args, p.sound()...), p.subtitles()...)
	return append(args, "-f", p.container.muxer, output)
}

// joining is a film of pieces that was checked.
type joining struct {
	joinSpec
	splitPlan
	transcoding
	dir string
}

func joinPlan(t *Tool, o Options, s joinSpec) (joining, error) {
	j := joining{joinSpec: s}
	var err error
	if j.dir, err = o.inPieces(s.Dir); err != nil {
		return j, err
	}
	if err := j.read(j.dir); err != nil || s.Clean {
		return j, err
	}
	j.transcoding, err = transcodePlan(t, o, j.splitPlan.Spec)
	return j, err
}

func join(ctx context.Context, env *environment, j joining) error {
	if j.Clean {
		defer removeEmpty(j.Made)
		return os.RemoveAll(j.dir)
	}
	var unsaid warnings
	if err := j.look(ctx, env, &unsaid); err != nil {
		return err
	}
	files := results{paths: j.outputs, existing: j.Existing, node: env.node}
	if _, err := files.prepare(); err != nil {
		return err
	}
	defer files.discard()
	partial := files.partials()
	for i := range j.Ladder {
		if err := j.list(i); err != nil {
			return err
		}
	}
	total := int64(0)
	for _, piece := range j.Pieces {
		total += piece.Frames
	}
	detail := transcodeDetail{Outputs: j.outputs, Warnings: j.Warnings}
	said, err := env.ffmpeg(ctx, j.args(partial), func(s Stats) { detail.Stats = s })
	want := j.promise()
	want.length = func() float64 { return env.longest(ctx, partial) }
	if err == nil {
		err = want.kept(said, detail.Seconds, &unsaid)
	}
	for i := range j.Ladder {
		err = cmp.Or(err, said.has(i, total, i))
	}
	if err != nil {
		return err
	}
	if err := files.publish(); err != nil {
		return err
	}
	detail.Frames, detail.Seconds = total, float64(total)/fraction(j.Rate)
	detail.whole(j.outputs)
	env.out.Report(node.Progress{Share: 1, Detail: detail})
	return os.RemoveAll(j.dir)
}

func (j joining) listFile(rung int) string {
	return filepath.Join(j.dir, fmt.Sprintf("%d.ffconcat", rung))
}

// list writes the list of a rung's pieces, with the length of each by its number
// of pictures: so each begins where it should to a millionth of a second.
func (j joining) list(rung int) error {
	rate := fraction(j.Rate)
	if rate == 0 {
		return fault("rate", "is missing")
	}
	text, done := "ffconcat version 1.0\n", int64(0)
	var head []byte
	for n, piece := range j.Pieces {
		name := pieceFile(j.dir, n, rung)
		own, err := streamHead(name)
		switch {
		case err != nil:
			return fmt.Errorf("split: %w", err)
		case head == nil:
			head = own
		case !slices.Equal(head, own):
			return fmt.Errorf("split: piece %d is coded in another way than those before it: the workers have different encoders: give them the same version of ffmpeg, or leave split out", n)
		}
		at, end := math.Round(float64(done)/rate*1e6), math.Round(float64(done+piece.Frames)/rate*1e6)
		done += piece.Frames
		text += fmt.Sprintf("file %s\nduration %.6f\n", filepath.Base(name), (end-at)/1e6)
	}
	return os.WriteFile(j.listFile(rung), []byte(text), 0o666)
}

// streamStart is what the head of a stream begins with in NUT.
var streamStart = []byte{'N', 'S', 0x11, 0x40, 0x5B, 0xF2, 0xF9, 0xDB}

// streamHead is the part of a file in NUT that says how its stream is coded.
func streamHead(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 64<<10)
	n, err := f.Read(head)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	_, after, found := strings.Cut(string(head[:n]), string(streamStart))
	size := 0
	for i := 0; found && i < len(after); i++ {
		size = size<<7 | int(after[i]&0x7f)
		if after[i] < 0x80 {
			return []byte(after[:min(len(after), i+1+size)]), nil
		}
	}
	return nil, fmt.Errorf("%s: is no piece", filepath.Base(name))
}

func (j joining) args(outputs []string) []string {
	args := []string{"-copyts"}
	for i := range j.Ladder {
		if j.Offset != 0 {
			args = append(args, "-itsoffset", strconv.FormatFloat(j.Offset, 'f', 6, 64))
		}
		args = append(args, "-protocol_whitelist", "file", "-format_whitelist", "concat,nut", "-f", "concat", "-i", j.listFile(i))
	}
	if j.Sound {
		args = append(args, "-protocol_whitelist", "file", "-i", soundFile(j.dir, j.container))
	}
	for i, r := range j.Ladder {
		args = append(args, "-map", fmt.Sprint(i, ":v"))
		if j.Sound {
			args = append(args, "-map", fmt.Sprint(len(j.Ladder), ":a?"), "-map", fmt.Sprint(len(j.Ladder), ":s?"))
		}
		args = append(append(args, "-c", "copy"), appleTag(j.container, r.Codec)...)
		args = append(args, j.container.flags...)
		args = append(args, "-f", j.container.muxer, outputs[i])
	}
	return args
}
