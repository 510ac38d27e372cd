package media

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/muster-fleet/muster"
)

// promise is what a result has to be; it is compared with what came out.
type promise struct {
	input   place
	onShort OnShort
	// extent is how long the result is to be.
	extent
	// length looks how long the result is, where it can be looked at. ffmpeg 7
	// says only how far the track is that is behind the others.
	length func() float64
	// open is set where a task may end early on request, as a recording.
	open bool
	// outputs are the tracks of each output, by kind; nil where not known.
	outputs []tracksOf
	// mayBeEmpty are kinds of which nothing may be in the part.
	mayBeEmpty map[string]bool
}

type tracksOf struct{ video, audio int }

// tolerance is by how much a result may be shorter: a last picture or packet,
// and what encoders and containers round.
func tolerance(seconds float64) float64 { return max(0.5, seconds/100) }

// kept says what is wrong with a result of which ffmpeg said nothing, or warns.
func (p promise) kept(said *journal, made float64, warn *warnings) error {
	said.mu.Lock()
	defer said.mu.Unlock()
	if err := p.filled(said, warn); err != nil {
		return atInput(err)
	}
	if said.broken > 0 {
		warn.add(WarnDamaged, "%s of the input could not be decoded: %s", counted(said.broken, "part", "parts"), firstOf(said.firstErrors))
	}
	if err := p.complete(said, warn); err != nil {
		return err
	}
	return p.long(said, made, warn)
}

// stopped warns of tracks without a packet of a task that was ended on request.
func (j *journal) stopped(warn *warnings) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range j.tracks {
		if t.packets == 0 && (t.kind == "video" || t.kind == "audio") {
			warn.add(WarnEmpty, "no %s came out: the input announces it, and had no packet of it that could be used", t.kind)
		}
	}
}

// complete looks for segments of a playlist that were left out. What is live has
// no length, and goes on behind a gap.
func (p promise) complete(said *journal, warn *warnings) error {
	if said.missing == 0 {
		return nil
	}
	text := fmt.Sprintf("%s of the playlist could not be read (%s)", counted(said.missing, "segment", "segments"), said.missed)
	if said.longest() == 0 {
		warn.add(WarnDamaged, "%s", text)
		return nil
	}
	return p.short(text, warn)
}

// short is the failure, or the warning, of an input of which a part did not come.
func (p promise) short(text string, warn *warnings) error {
	if p.onShort == ShortWarns {
		warn.add(WarnShort, "%s", text)
		return nil
	}
	err := fmt.Errorf("input: %s: set on_short to warn to take what there is", text)
	if p.input.file() {
		return atInput(err)
	}
	return caused(err, muster.CausePassing)
}

func firstOf(lines []string) string {
	if len(lines) == 0 {
		return "no reason given"
	}
	return lines[0]
}

// filled checks that each track has packets.
func (p promise) filled(said *journal, warn *warnings) error {
	total := int64(0)
	for _, t := range said.tracks {
		total += t.packets
		if t.packets > 0 {
			continue
		}
		if p.mayBeEmpty[t.kind] {
			warn.add(WarnEmpty, "the input has no %s in the part that was asked for", t.kind)
			continue
		}
		return fmt.Errorf("output: no %s came out: the input announces it, and has no packet of it that could be used", t.kind)
	}
	if len(said.tracks) > 0 && total == 0 {
		return fmt.Errorf("output: nothing came out")
	}
	for i, want := range p.outputs {
		if err := want.count(i, said.tracks); err != nil {
			return err
		}
	}
	return nil
}

func (w tracksOf) count(output int, tracks []track) error {
	n := map[string]int{}
	for _, t := range tracks {
		if t.output == output {
			n[t.kind]++
		}
	}
	if len(tracks) > 0 && (n["video"] < w.video || n["audio"] < w.audio) {
		return fmt.Errorf("output: has %d tracks of pictures and %d of sound, not %d and %d", n["video"], n["audio"], w.video, w.audio)
	}
	return nil
}

// long compares the length with what was announced.
func (p promise) long(said *journal, made float64, warn *warnings) error {
	early := cmp.Or(said.early, p.lacks)
	want := p.longest
	if want > 0 && made < want-tolerance(want) && p.length != nil {
		made = max(made, p.length())
	} else if p.length == nil {
		want = p.shortest
	}
	short := want > 0 && made < want-tolerance(want) && (p.exact || early != "")
	reason := early
	broke := said.broke != "" && !p.input.file()
	if broke {
		reason = said.broke
	}
	// A local file that ends early says so whatever its length is; a server
	// that broke off may have gone on.
	if !short && !broke && (early == "" || !p.input.file() || p.open) {
		return nil
	}
	if reason == "" {
		reason = "there is no more in it"
	}
	text := fmt.Sprintf("the input ends early: %.2f s came out", made)
	if want > made && p.lacks == "" { // else the length is that of what there is
		text += fmt.Sprintf(" of the %.2f s that it announces", want)
	}
	return p.short(text+" ("+reason+")", warn)
}

// stands checks a result that was there already, and is kept.
func (p promise) stands(path string, made float64, warn *warnings) error {
	if !p.exact || p.longest == 0 || made >= p.longest-tolerance(p.longest) {
		return nil
	}
	text := fmt.Sprintf("%s is there, but lasts %.2f s of the %.2f s that the input announces", path, made, p.longest)
	if p.onShort == ShortWarns {
		warn.add(WarnShort, "%s", text)
		return nil
	}
	return atInput(fault("output", "%s: set existing to replace, or on_short to warn to keep it", text))
}

// stand checks files that were there already, and are kept.
func (env *environment) stand(ctx context.Context, paths []string, p promise, warn *warnings) error {
	for _, path := range paths {
		made, err := env.tool.probe(ctx, place{name: path})
		if err != nil {
			return fault("output", "%s is there, but cannot be kept: set existing to replace: %w", path, err)
		}
		if err := p.stands(path, made.Seconds, warn); err != nil {
			return err
		}
	}
	return nil
}

// sizes adds the sizes of files up.
func sizes(paths []string) (bytes int64) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}

// whole completes what is said of a result in files: ffmpeg counts the bytes of
// the first output only.
func (s *Stats) whole(paths []string) {
	s.Bytes = sizes(paths)
	if s.Seconds > 0 {
		s.Kbps = float64(s.Bytes) * 8 / 1000 / s.Seconds
	}
}
