package media

import (
	"encoding/json"
	"strings"
	"testing"
)

const someProgress = `frame=50
fps=24.98
stream_0_0_q=-1.0
bitrate= 262.3kbits/s
total_size=32768
out_time_us=2000000
out_time_ms=2000000
out_time=00:00:02.000000
dup_frames=1
drop_frames=3
speed=1.05x
progress=continue
frame=75
bitrate=N/A
out_time_us=-1
speed=N/A
progress=end
`

func TestProgress(t *testing.T) {
	t.Parallel()
	var got []Stats
	readProgress(strings.NewReader(someProgress), func(s Stats) { got = append(got, s) })
	want := Stats{Frames: 50, Dropped: 3, Duplicated: 1, FPS: 24.98, Kbps: 262.3, Speed: 1.05, Seconds: 2, Bytes: 32768}
	if len(got) != 2 || got[0] != want {
		t.Fatalf("read %+v, not %+v", got, want)
	}
	if got[1].Frames != 75 || got[1].Seconds != 0 || got[1].Speed != 0 || got[1].Kbps != 0 {
		t.Errorf("at the end read %+v", got[1])
	}
	if s := want.share(8); s != 0.25 {
		t.Errorf("of 8 s %v are done", s)
	}
	if s := want.share(0); s != -1 {
		t.Errorf("of something without end %v are done", s)
	}
	if s := want.share(1); s != 1 {
		t.Errorf("more than all is done: %v", s)
	}
}

// Whatever ffmpeg writes, a report can be made of it, and nothing counts
// backwards from zero.
func FuzzProgress(f *testing.F) {
	f.Add(someProgress)
	f.Add("frame=NaN\nfps=+Inf\nspeed=1e400x\nprogress=\n")
	f.Add(strings.Repeat("x", 3*longLine) + "\nframe=1\nprogress=end")
	f.Fuzz(func(t *testing.T, text string) {
		blocks := 0
		readProgress(strings.NewReader(text), func(s Stats) {
			blocks++
			if _, err := json.Marshal(s); err != nil {
				t.Error(err)
			}
			if s.Frames < 0 || s.Dropped < 0 || s.Duplicated < 0 || s.Bytes < 0 || s.FPS < 0 || s.Seconds < 0 || s.Speed < 0 || s.Kbps < 0 {
				t.Errorf("negative: %+v", s)
			}
			if share := s.share(10); share < 0 || share > 1 {
				t.Errorf("a share of %v", share)
			}
		})
		if ends := strings.Count(text, "progress="); blocks > ends {
			t.Errorf("%d blocks in a text with %d ends", blocks, ends)
		}
	})
}

func TestParseProbe(t *testing.T) {
	t.Parallel()
	p, err := parseProbe([]byte(`{"streams": [
		{"codec_type": "video", "codec_name": "mjpeg", "width": 600, "height": 600, "avg_frame_rate": "0/0", "disposition": {"attached_pic": 1}},
		{"codec_type": "audio", "codec_name": "aac", "avg_frame_rate": "0/0"},
		{"codec_type": "video", "codec_name": "hevc", "width": 64, "height": 48, "avg_frame_rate": "30000/1001"}],
		"format": {"format_name": "mov,mp4", "duration": "12.5"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if v := p.Video(); v == nil || v.Codec != "h265" || v.Width != 64 || v.Height != 48 || v.FPS < 29.9 || v.FPS > 30 {
		t.Errorf("the picture is %+v", v)
	}
	if p.Audio() == nil || p.Seconds != 12.5 || p.Container != "mov,mp4" {
		t.Errorf("read %+v", p)
	}
	live, err := parseProbe([]byte(`{"streams": [], "format": {"duration": "N/A"}}`))
	if err != nil || live.Seconds != 0 || live.Video() != nil || live.Audio() != nil {
		t.Errorf("of what is live read %+v, %v", live, err)
	}
	if _, err := parseProbe([]byte("oops")); err == nil {
		t.Error("what is no JSON was read")
	}
}

func TestParseList(t *testing.T) {
	t.Parallel()
	got := parseList("Encoders:\n V..... = Video\n ------\n V....D libx264              libx264 H.264\n A..... aac                  AAC\n")
	if len(got) != 2 || !got["libx264"] || !got["aac"] {
		t.Errorf("read %v", got)
	}
}

// What the filters print in one order or another is reported once, and only when it
// lasts.
func TestFinder(t *testing.T) {
	t.Parallel()
	var reported []string
	detect, _ := Detect{Black: &BlackSpec{MinSeconds: 1}, Loudness: &LoudnessSpec{EverySeconds: 1}}.complete()
	f := newFinder(detect, func(event string, data any) { reported = append(reported, event+" "+inJSONText(data)) })
	for _, l := range []struct {
		at   float64
		line string
	}{
		{0, "lavfi.black_start=0"},
		{0.5, "lavfi.black_end=0.5"}, // too short
		{1, "lavfi.black_start=1"},
		{1.5, "lavfi.r128.I=-23.1"},
		{1.5, "lavfi.r128.true_peak=1"},
		{1.6, "lavfi.r128.I=nan"},
		{1.6, "lavfi.r128.true_peak=0"},
		{2, "lavfi.silence_start=2"}, // not asked for
		{2, "no value"},
		{2.4, "lavfi.black_end=2.4"},
		{3, "lavfi.black_start=3"},
	} {
		f.frame(l.at)
		f.line(l.at, l.line)
	}
	f.frame(4.5)
	f.end(5)
	want := []string{
		`loudness {"at":1.5,"momentary":0,"short_term":0,"integrated":-23.1,"range":0,"true_peak":0}`,
		`black_start {"start":1}`,
		`black_end {"start":1,"end":2.4,"seconds":1.4}`,
		`black_start {"start":3}`,
		`black_end {"start":3,"end":5,"seconds":2}`,
	}
	if strings.Join(reported, "\n") != strings.Join(want, "\n") {
		t.Errorf("reported\n%s\nnot\n%s", strings.Join(reported, "\n"), strings.Join(want, "\n"))
	}
	if a := f.analysis(); a.Black.Count != 2 || a.Silence != nil || a.Loudness.TruePeak != softest {
		t.Errorf("found %+v %+v", a.Black, a.Loudness)
	}
}
