package roomstream

import (
	"context"
	"encoding/json"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/codectest"
	"github.com/muster-fleet/muster/internal/compose"
	"github.com/muster-fleet/muster/internal/roomsub"
	"github.com/muster-fleet/muster/media"
)

const patience = 60 * time.Second

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	again := time.NewTicker(40 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for !f() {
		select {
		case <-again.C:
		case <-late:
			t.Fatal(what)
		}
	}
}

func testShow(t *testing.T, s Spec) *show {
	t.Helper()
	one := newShow(s, &roomsub.Room{Log: slog.New(slog.DiscardHandler)}, "ffmpeg")
	t.Cleanup(one.close)
	return one
}

// source gives the frames of a codec again and again, as a publisher does who is
// asked for key frames.
type source struct {
	t      *testing.T
	codec  roomsub.Codec
	frames []roomsub.Frame
	next   int
}

func newSource(t *testing.T, c codectest.Codec, picture string) *source {
	t.Helper()
	a, err := roomsub.NewAssembler(c.MIME)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{t: t, codec: a.Codec}
	packets := c.Packetizer()
	for _, data := range c.Frames(t, picture) {
		for _, p := range packets.Packetize(data, 9000) {
			s.frames = append(s.frames, a.Push(p)...)
		}
	}
	return s
}

// until sends frames at their pace until something is true.
func (s *source) until(what string, p *picture, connection int64, f func() bool) {
	s.t.Helper()
	until(s.t, what, func() bool {
		p.Take(connection, s.codec, s.frames[s.next], time.Now())
		s.next = (s.next + 1) % len(s.frames)
		return f()
	})
}

// luma is how bright the middle of the last picture is; -1 is none.
func luma(p *picture) int {
	one := p.latest()
	if one == nil {
		return -1
	}
	return int(one.Pix[one.H/2*one.W+one.W/2])
}

// A picture of each codec is decoded at the size of its tile. It gets another size
// without a gap, and goes on after rubbish, another connection, and the death of its
// decoder.
func TestPicture(t *testing.T) {
	for _, c := range codectest.Codecs {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			show := testShow(t, Spec{})
			p := &picture{start: show.decode, failed: func(err error) { t.Error(err) }, want: form{160, 90, false}}
			defer p.close()
			white, black := newSource(t, c, "color=white:size=320x180:rate=10"), newSource(t, c, "color=black:size=640x360:rate=10")
			if taken, askKey := p.Take(1, white.codec, white.frames[1], time.Now()); taken || !askKey {
				t.Errorf("without a key frame it is taken: %v, asks: %v", taken, askKey)
			}
			white.until("no picture", p, 1, func() bool { return luma(p) > 200 })
			p.resize(form{320, 240, true})
			white.until("no picture of another size", p, 1, func() bool {
				if luma(p) < 200 {
					t.Fatal("the picture went away meanwhile")
				}
				return p.latest().W == 320
			})
			if one := p.latest(); one.Pix[one.W/2] > 40 {
				t.Errorf("above a picture that is shown whole it is %d", one.Pix[one.W/2])
			}
			for _, f := range white.frames {
				f.Data = []byte(strings.Repeat("rubbish", 50))
				p.Take(1, white.codec, f, time.Now())
			}
			black.until("no picture after rubbish", p, 2, func() bool { return luma(p) < 40 })
			if taken, _ := p.Take(1, white.codec, white.frames[0], time.Now()); taken {
				t.Error("a frame of an older connection is taken")
			}
			p.mu.Lock()
			dead := p.now
			_ = dead.cmd.Process.Kill()
			p.mu.Unlock()
			<-dead.over
			white.until("no picture after the death of the decoder", p, 3, func() bool { return luma(p) > 200 })
		})
	}
}

// Whoever panics or fails in a decoder of sound, it is a hole and no more.
func TestVoice(t *testing.T) {
	var all sounds
	v := &voice{id: "a", all: &all}
	loud := codectest.Opus(t, "sine=frequency=440")
	for i := range 8 {
		if i == 2 {
			v.Take(1, roomsub.Codec{}, roomsub.Frame{Data: []byte{0xff, 0xff, 1, 2, 3}, Timestamp: uint32(960 * i)}, time.Now())
			continue
		}
		v.Take(1, roomsub.Codec{}, roomsub.Frame{Data: loud[i+5], Timestamp: uint32(960 * i)}, time.Now())
	}
	energy := 0
	for _, s := range all.mix(960 * 7) {
		energy += int(s) * int(s) >> 16
	}
	if energy == 0 {
		t.Error("nothing is heard")
	}
	v.close()
	v.Take(1, roomsub.Codec{}, roomsub.Frame{Data: loud[0]}, time.Now())
	if len(all.mix(960)) != 960*compose.Channels {
		t.Error("no silence")
	}
}

// What a film has is read by ffmpeg as it is: size, rate, and what is in it.
func TestFilm(t *testing.T) {
	spec := Spec{Width: 320, Height: 180, FPS: 25}
	film, err := newFilm(spec.Width, spec.Height, spec.FPS)
	if err != nil {
		t.Fatal(err)
	}
	defer film.Close()
	show := testShow(t, spec)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); show.film(ctx, film) }()
	defer func() { cancel(); <-ended }()
	out, err := exec.Command("ffprobe", "-v", "error", "-of", "json", "-show_entries", "stream=codec_name,width,height,r_frame_rate,sample_rate,channels,pix_fmt",
		"-read_intervals", "%+2", "-count_packets", film.URL).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var said struct{ Streams []map[string]any }
	if err := json.Unmarshal(out, &said); err != nil || len(said.Streams) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	for i, want := range []map[string]any{
		{"codec_name": "rawvideo", "width": 320.0, "height": 180.0, "pix_fmt": "yuv420p", "r_frame_rate": "25/1"},
		{"codec_name": "pcm_s16le", "sample_rate": "48000", "channels": 2.0},
	} {
		for k, v := range want {
			if said.Streams[i][k] != v {
				t.Errorf("stream %d: %s is %v; want %v", i, k, said.Streams[i][k], v)
			}
		}
	}
	until(t, "the reader is not forgotten", func() bool { return !film.watched() })
}

// A spec that can not be is refused with its field and the fix; one that says little
// gets defaults.
func TestSpec(t *testing.T) {
	tool, err := media.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(Options{Tool: tool, Media: media.Options{Root: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]string{
		`{"room": "r", "output": "rtmp://host/a/b"}`:                                              "",
		`{"room": "r", "output": "x.m3u8", "layout": "speaker", "segments": 5, "bitrate": "1M"}`:  "",
		`{"room": "r", "output": "srt://host:1", "audio": {"codec": "opus"}, "existing": "keep"}`: "existing",
		`{"room": "r"}`: "output",
		`{"room": "r", "output": "rtmp://host/a/b", "width": 1281}`:               "width",
		`{"room": "r", "output": "rtmp://host/a/b", "fps": 500}`:                  "fps",
		`{"room": "r", "output": "rtmp://host/a/b", "layout": "circle"}`:          "layout",
		`{"room": "r", "output": "rtmp://host/a/b", "audio": {"codec": "none"}}`:  "audio.codec",
		`{"room": "r", "output": "../x.m3u8"}`:                                    "output",
		`{"room": "a#b", "output": "rtmp://host/a/b"}`:                            "room",
		`{"room": "r", "output": "rtmp://host/a/b", "colour": "red"}`:             "colour",
		`{"room": "r", "output": "rtmp://host/a/b", "segments": 3}`:               "segment",
		`{"room": "r", "output": "rtmp://host/a/b", "audio": {"codec": "opus"}}`:  "audio.codec",
		`{"room": "r", "output": "file.mp4"}`:                                     "output",
		`{"room": "r", "output": "rtmp://host/a/b", "height": 4000, "width": 64}`: "height",
	} {
		err := w.Check(json.RawMessage(spec))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", spec, err, want)
		}
	}
	s, err := readSpec(json.RawMessage(`{"room": "r", "output": "rtmp://host/a/b", "width": 640, "height": 360}`))
	if err != nil || s.Bitrate != defaultBitrate/4 || s.FPS != 25 || s.Existing != media.Append || s.RetrySeconds != 60 {
		t.Errorf("%+v, %v", s, err)
	}
}
