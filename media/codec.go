package media

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
)

// codec is a video codec, under the word that OWT and Muster have for it.
type codec struct {
	word string
	// name is ffmpeg's.
	name string
	// encoders are ffmpeg's, in the order in which they are tried: those that
	// run on any machine first, since they serve any number of tasks.
	encoders []string
	// decoders need no hardware, so that being listed is enough.
	decoders []string
	// profiles are the words that OWT has for what can be asked of an encoder,
	// and ffmpeg's.
	profiles map[string]string
	// deep is set where encoders take 10 bits.
	deep bool
}

var codecs = []codec{
	{word: "vp8", name: "vp8", encoders: []string{"libvpx"}, decoders: []string{"vp8", "libvpx"}},
	{word: "vp9", name: "vp9", encoders: []string{"libvpx-vp9"}, decoders: []string{"vp9", "libvpx-vp9"}, deep: true},
	{
		word: "h264", name: "h264",
		encoders: []string{"libx264", "libopenh264", "h264_videotoolbox", "h264_nvenc", "h264_qsv", "h264_amf"},
		decoders: []string{"h264", "libopenh264"},
		// What is constrained baseline is baseline too.
		profiles: map[string]string{"h264_CB": "baseline", "h264_B": "baseline", "h264_M": "main", "h264_H": "high"},
	},
	{
		word: "h265", name: "hevc",
		encoders: []string{"libx265", "hevc_videotoolbox", "hevc_nvenc", "hevc_qsv", "hevc_amf"},
		decoders: []string{"hevc"}, deep: true,
	},
	{word: "av1", name: "av1", encoders: []string{"libsvtav1", "libaom-av1", "librav1e", "av1_nvenc", "av1_qsv"}, decoders: []string{"libdav1d", "libaom-av1"}, deep: true},
}

// videoWords are what a spec may say for a codec.
func videoWords() []string {
	var words []string
	for _, c := range codecs {
		words = append(words, c.words()...)
	}
	return words
}

// words are the codec's own, and those of its profiles.
func (c codec) words() []string {
	words := []string{c.word}
	for w := range c.profiles {
		words = append(words, w)
	}
	slices.Sort(words)
	return words
}

func codecOf(word string) (codec, bool) {
	i := slices.IndexFunc(codecs, func(c codec) bool { return slices.Contains(c.words(), word) })
	if i < 0 {
		return codec{}, false
	}
	return codecs[i], true
}

// hardwareWords end the names of encoders that need a device.
var hardwareWords = []string{"_nvenc", "_qsv", "_amf", "_videotoolbox"}

func isHardware(encoder string) bool {
	return slices.ContainsFunc(hardwareWords, func(word string) bool { return strings.HasSuffix(encoder, word) })
}

// Hardware are the encoders of this machine's devices that could encode a picture,
// by ffmpeg's names. What ffmpeg lists and no device is there for is left out.
func (t *Tool) Hardware(ctx context.Context) []string {
	var names []string
	for _, c := range codecs {
		for _, name := range c.encoders {
			if isHardware(name) && t.opens(ctx, encoder{name: name}) {
				names = append(names, name)
			}
		}
	}
	return names
}

// EncoderLabel is the label of workers whose devices have an encoder.
func EncoderLabel(name string) string { return "encoder." + name }

// HardwareEncoders are those that a spec names, sorted.
func HardwareEncoders(spec json.RawMessage) []string {
	var names []string
	for _, r := range rungsOf(spec) {
		if isHardware(r.Encoder) {
			names = append(names, r.Encoder)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// SlotHardware is the sort of tasks that keep a device busy; see Slot.
const SlotHardware = "hardware"

// Slot is SlotHardware for a spec that is encoded by a device here, and "" for
// others: the two have slots of their own.
func (t *Tool) Slot(spec json.RawMessage) string {
	for _, r := range rungsOf(spec) {
		if e, err := t.encoder("", r.Codec); isHardware(r.Encoder) || r.Encoder == "" && err == nil && isHardware(e.name) {
			return SlotHardware
		}
	}
	return ""
}

// rungsOf are the codecs that a spec of any kind asks for.
func rungsOf(spec json.RawMessage) []Rung {
	_, own := anyKind{kinds: kindNames()}.split(spec)
	var s struct {
		Ladder []Rung `json:"ladder"`
		Video  string `json:"video"`
	}
	if json.Unmarshal(own, &s) != nil {
		return nil
	}
	if s.Video != "" {
		s.Ladder = append(s.Ladder, Rung{Codec: s.Video})
	}
	for i := range s.Ladder {
		if s.Ladder[i].Codec == "" {
			s.Ladder[i].Codec = "h264"
		}
	}
	return s.Ladder
}

// encoder is one that opens, with the profile that was asked for.
type encoder struct{ name, profile string }

// encoderFor finds an encoder for the word of a codec. Where the codec is known
// and this ffmpeg has no encoder for it, the error says so.
func (t *Tool) encoderFor(ctx context.Context, field, word string) (encoder, error) {
	c, known := codecOf(word)
	if !known {
		return encoder{}, oneOf(field, word, videoWords())
	}
	for _, name := range c.encoders {
		e := encoder{name, c.profiles[word]}
		if t.opens(ctx, e) {
			return e, nil
		}
	}
	return encoder{}, caused(fault(field, "this ffmpeg (%s %s) cannot encode %s", t.FFmpeg, t.Version, word), muster.CauseWorker)
}

// named is the encoder of a codec that a spec names.
func (t *Tool) named(field, word, name string) (encoder, error) {
	c, known := codecOf(word)
	if !known {
		return encoder{}, oneOf(field, word, videoWords())
	}
	if err := oneOf(field, name, c.encoders); err != nil {
		return encoder{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), trialTime)
	defer cancel()
	if e := (encoder{name, c.profiles[word]}); t.opens(ctx, e) {
		return e, nil
	}
	return encoder{}, caused(fault(field, "%s does not work on this worker", name), muster.CauseWorker)
}

// trialTime is how long the encoders for a spec may be tried.
const trialTime = 20 * time.Second

// encoder is encoderFor where there is no context, as in the check of a spec.
func (t *Tool) encoder(field, word string) (encoder, error) {
	ctx, cancel := context.WithTimeout(context.Background(), trialTime)
	defer cancel()
	return t.encoderFor(ctx, field, word)
}

// Capacity is what this ffmpeg can encode and decode, in the words of
// capacity.video. An encoder counts when it could encode a picture, since many
// are listed for which the hardware is missing. The first call takes some
// tenths of a second. What is not found out when ctx is done does not count.
func (t *Tool) Capacity(ctx context.Context) muster.Formats {
	decoders := t.list(ctx, "-decoders")
	encode := make([][]string, len(codecs))
	var tried sync.WaitGroup
	for i, c := range codecs {
		tried.Go(func() { encode[i] = t.encodes(ctx, c) })
	}
	tried.Wait()
	formats := muster.Formats{Encode: slices.Concat(encode...), Decode: []string{}}
	for _, c := range codecs {
		if slices.ContainsFunc(c.decoders, func(d string) bool { return decoders[d] }) {
			formats.Decode = append(formats.Decode, c.word)
		}
	}
	return formats
}

// encodes are the words of a codec for which an encoder opens.
func (t *Tool) encodes(ctx context.Context, c codec) []string {
	words := []string{}
	for _, word := range c.words() {
		if _, err := t.encoderFor(ctx, "", word); err == nil {
			words = append(words, word)
		}
	}
	return words
}

// opens tries an encoder on one picture, once.
func (t *Tool) opens(ctx context.Context, e encoder) bool {
	t.mu.Lock()
	works, known := t.tried[e]
	t.mu.Unlock()
	if known {
		return works
	}
	if !t.listed(ctx)[e.name] {
		return false
	}
	err := t.try(ctx, e)
	if ctx.Err() != nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tried[e] = err == nil
	return err == nil
}

// mostKills is how often a trial is begun that was killed from outside: that says
// nothing of the encoder, unless it happens every time.
const mostKills = 3

func (t *Tool) try(ctx context.Context, e encoder) (err error) {
	for range mostKills {
		_, err = output(ctx, t.FFmpeg, e.trial()...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Exited() {
			return err
		}
	}
	return err
}

func (e encoder) trial() []string {
	args := []string{"-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", "color=size=256x144:rate=25", "-frames:v", "1"}
	args = append(args, e.args("")...)
	args = append(args, rate(e, 500_000)...)
	args = append(args, e.keys(keySeconds, usualFPS)...)
	return append(args, "-f", "null", "-")
}

// listed are the encoders that ffmpeg says that it has.
func (t *Tool) listed(ctx context.Context) map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.names == nil {
		t.names = t.list(ctx, "-encoders")
	}
	return t.names
}

// list reads one of ffmpeg's lists; it is nil where ffmpeg does not answer.
func (t *Tool) list(ctx context.Context, which string) map[string]bool {
	out, err := output(ctx, t.FFmpeg, "-hide_banner", which)
	if err != nil {
		return nil
	}
	return parseList(string(out))
}

// parseList reads what -encoders and -decoders print: a legend, a line of
// dashes, and then a line each that begins with flags and a name.
func parseList(out string) map[string]bool {
	_, lines, _ := strings.Cut(out, " ------\n")
	names := map[string]bool{}
	for line := range strings.Lines(lines) {
		if words := strings.Fields(line); len(words) > 1 {
			names[words[1]] = true
		}
	}
	return names
}
