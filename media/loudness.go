package media

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// LoudnessTarget is how loud the sound is to become (EBU R 128). It is measured
// first, and then amplified or softened as a whole; where that would exceed the
// peak or the range, loud parts are held back.
type LoudnessTarget struct {
	// TargetLUFS is the integrated loudness: -23, which is that of television in
	// Europe, where it is 0. Others are -16 (podcasts) and -14 (music on the web).
	TargetLUFS float64 `json:"target_lufs"`
	// TruePeakDB is the highest true peak in dBTP: -1 where it is 0.
	TruePeakDB float64 `json:"true_peak_db"`
	// RangeLU is the most that soft and loud parts may differ: 20 where it is 0.
	RangeLU float64 `json:"range_lu"`
}

// complete fills in the defaults, and checks the rest.
func (l LoudnessTarget) complete() (LoudnessTarget, error) {
	fill(&l.TargetLUFS, -23)
	fill(&l.TruePeakDB, -1)
	fill(&l.RangeLU, 20)
	switch {
	case l.TargetLUFS < -70 || l.TargetLUFS > -5:
		return l, fault("loudness.target_lufs", "must be from -70 to -5, and is %v", l.TargetLUFS)
	case l.TruePeakDB < -9 || l.TruePeakDB > 0:
		return l, fault("loudness.true_peak_db", "must be from -9 to 0, and is %v", l.TruePeakDB)
	case l.RangeLU < 1 || l.RangeLU > 50:
		return l, fault("loudness.range_lu", "must be from 1 to 50, and is %v", l.RangeLU)
	}
	return l, nil
}

// measured is what the first pass finds, in the words of ffmpeg's loudnorm.
type measured struct {
	Integrated decimal `json:"input_i"`
	TruePeak   decimal `json:"input_tp"`
	Range      decimal `json:"input_lra"`
	Threshold  decimal `json:"input_thresh"`
	Offset     decimal `json:"target_offset"`
}

// decimal is a number that loudnorm writes as a string; silence is -inf.
type decimal float64

func (d *decimal) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	n, err := strconv.ParseFloat(text, 64)
	*d = decimal(n)
	return err
}

// silent reports whether there is nothing whose loudness could change.
func (m measured) silent() bool { return math.IsInf(float64(m.Integrated), 0) || m.Integrated < -69 }

// filter is that of the second pass. It may work at a higher rate.
func (l LoudnessTarget) filter(m measured) string {
	return fmt.Sprintf("%s:measured_I=%v:measured_TP=%v:measured_LRA=%v:measured_thresh=%v:offset=%v:linear=true,aresample=48000",
		l.norm(), m.Integrated, m.TruePeak, m.Range, m.Threshold, m.Offset)
}

func (l LoudnessTarget) norm() string {
	return fmt.Sprintf("loudnorm=I=%v:TP=%v:LRA=%v", l.TargetLUFS, l.TruePeakDB, l.RangeLU)
}

// loudnessOf measures a track of an input, of which args choose a part.
func (env *environment) loudnessOf(ctx context.Context, l LoudnessTarget, p place, before, after []string, s *StreamInfo) (measured, error) {
	args := append([]string{"-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"}, before...)
	args = append(args, p.input(env.tool.major())...)
	args = append(args, "-map", fmt.Sprint("0:", s.Index))
	args = append(args, after...)
	args = append(args, "-af", joined(s.unarranged(), l.norm()+":print_format=json"), "-f", "null", "-")
	said := &lastObject{}
	r := run{program: env.tool.FFmpeg, args: args, grace: env.opts.Grace, stdout: func(r io.Reader) { _, _ = io.Copy(io.Discard, r) }, said: said}
	if err := r.do(ctx); err != nil {
		return measured{}, fmt.Errorf("loudness: %w", err)
	}
	var m measured
	if err := json.Unmarshal(said.object(), &m); err != nil {
		return m, fmt.Errorf("loudness: what ffmpeg measured is not understood: %w", err)
	}
	return m, nil
}

// lastObject keeps of stderr the last errors, and the JSON object at the end.
type lastObject struct {
	tail
	mu   sync.Mutex
	text []byte
}

// mostText is more than loudnorm writes at the end.
const mostText = 8 << 10

func (o *lastObject) Write(p []byte) (int, error) {
	o.mu.Lock()
	o.text = append(o.text, p...)
	if n := len(o.text) - mostText; n > 0 {
		o.text = slices.Delete(o.text, 0, n)
	}
	o.mu.Unlock()
	return o.tail.Write(p)
}

func (o *lastObject) object() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := string(o.text)
	from, to := strings.LastIndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if from < 0 || to < from {
		return nil
	}
	return []byte(text[from : to+1])
}

// loudnessTolerance is by how much a result may differ, in LU: encoders change
// the sound a little.
const loudnessTolerance = 1

// levels measures the tracks of a transcoding, and settles by what they change.
func (p *transcoding) measure(ctx context.Context, env *environment, warn *warnings) error {
	if p.Loudness == nil || !p.streams.known {
		return nil
	}
	p.levels = make([]string, len(p.streams.audio))
	before, after := p.part()
	for i, s := range p.streams.audio {
		m, err := env.loudnessOf(ctx, *p.Loudness, p.input, before, after, s)
		if err != nil {
			return err
		}
		if m.silent() {
			warn.add(WarnLoudness, "stream %d is silent, and stays so", s.Index)
			continue
		}
		p.levels[i] = p.Loudness.filter(m)
	}
	return nil
}

// part are the arguments before and behind an input that choose a part of it.
func (p *transcoding) part() (before, after []string) {
	if p.StartSeconds > 0 {
		before = []string{"-ss", seconds(p.StartSeconds)}
	}
	if p.DurationSeconds > 0 {
		after = []string{"-t", seconds(p.DurationSeconds)}
	}
	return before, after
}

// loud measures the result.
func (p *transcoding) loud(ctx context.Context, env *environment, path string, warn *warnings) error {
	if p.Loudness == nil || !slices.ContainsFunc(p.levels, func(l string) bool { return l != "" }) {
		return nil
	}
	made, err := env.tool.probe(ctx, place{name: path})
	if err != nil {
		return err
	}
	for i, s := range made.all("audio") {
		if i >= len(p.levels) || p.levels[i] == "" {
			continue
		}
		m, err := env.loudnessOf(ctx, *p.Loudness, place{name: path}, nil, nil, s)
		if err != nil {
			return err
		}
		if off := float64(m.Integrated) - p.Loudness.TargetLUFS; math.Abs(off) > loudnessTolerance {
			warn.add(WarnLoudness, "track %d of sound came out at %.1f LUFS, not %v: its peaks allow no more", i, float64(m.Integrated), p.Loudness.TargetLUFS)
		}
	}
	return nil
}
