package roomrec

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"

	"github.com/muster-fleet/muster/internal/room"
)

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var out, said bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Fatalf("%s %q: %v: %s", name, args, err, said.String())
	}
	return out.Bytes()
}

// encoded are the frames of a second of film.
func encoded(t *testing.T, encoder ...string) (frames [][]byte) {
	t.Helper()
	format := "ivf"
	if encoder[0] == "libx264" {
		format = "h264"
	}
	args := append([]string{"-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10", "-t", "1", "-pix_fmt", "yuv420p", "-c:v"}, encoder...)
	stream := bytes.NewReader(run(t, "ffmpeg", append(args, "-f", format, "-")...))
	if format == "h264" {
		return units(t, stream)
	}
	r, _, err := ivfreader.NewWith(stream)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, _, err := r.ParseNextFrame()
		if err == io.EOF {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
}

// units are pictures of H.264 with one slice each.
func units(t *testing.T, stream io.Reader) (frames [][]byte) {
	t.Helper()
	r, err := h264reader.NewReader(stream)
	if err != nil {
		t.Fatal(err)
	}
	var frame []byte
	for {
		unit, err := r.NextNAL()
		if err == io.EOF {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		frame = append(append(frame, 0, 0, 0, 1), unit.Data...)
		if kind := unit.Data[0] & 0x1f; kind == 1 || kind == unitIDR {
			frames = append(frames, frame)
			frame = nil
		}
	}
}

func testRecording(t *testing.T) (*recording, string) {
	t.Helper()
	path := t.TempDir()
	dir, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	x, err := openIndex(dir, "rec", "r", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &recording{name: "r", task: "own", dir: dir, index: x, log: slog.New(slog.DiscardHandler), notify: func(string, any) {}}, path
}

// What each codec's packets say is in a file that others decode.
func TestFormats(t *testing.T) {
	for mime, c := range map[string]struct {
		encoder []string
		payload rtp.Payloader
		file    string
	}{
		"video/VP8":  {[]string{"libvpx", "-deadline", "realtime"}, &codecs.VP8Payloader{EnablePictureID: true}, "a-camera.webm"},
		"video/VP9":  {[]string{"libvpx-vp9", "-deadline", "realtime", "-lag-in-frames", "0"}, &codecs.VP9Payloader{}, "a-camera.webm"},
		"video/H264": {[]string{"libx264", "-tune", "zerolatency", "-threads", "1"}, &codecs.H264Payloader{}, "a-camera.mkv"},
	} {
		t.Run(mime, func(t *testing.T) {
			rec, dir := testRecording(t)
			one := &take{rec: rec, who: room.Participant{ID: "p", User: "a"}, what: room.Track{ID: "p.camera", Source: "camera"}}
			a, err := newAssembler(webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime}})
			if err != nil {
				t.Fatal(err)
			}
			frames := encoded(t, c.encoder...)
			began := time.Now()
			packets := rtp.NewPacketizer(1200, 96, 1, c.payload, rtp.NewFixedSequencer(65530), 90000)
			for i, data := range frames {
				for _, p := range packets.Packetize(data, 9000) {
					for _, f := range a.push(p) {
						if taken, err := one.add(1, a.format, f, began.Add(time.Duration(i)*100*time.Millisecond)); err != nil || !taken {
							t.Fatalf("frame %d: taken %v, %v", i, taken, err)
						}
					}
				}
			}
			if err := one.end(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			got := string(run(t, "ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=codec_name,width,height,nb_read_frames", "-of", "csv=p=0", path))
			if want := a.format.codec + ",320,180,9"; strings.TrimSpace(got) != want { // the last one waits for the next
				t.Errorf("%s has %s; want %s", c.file, got, want)
			}
		})
	}
}

// Frames are at the times of their publisher, and a file says when nothing came.
func TestTimes(t *testing.T) {
	rec, _ := testRecording(t)
	one := &take{rec: rec, who: room.Participant{User: "a/../b"}, what: room.Track{Source: "mic"}}
	began := time.Now()
	kind := formats["audio/opus"]
	for _, f := range []struct {
		from        int64
		stamp       uint32
		at          time.Duration
		key, taken  bool
		wantSeconds float64
	}{
		{1, 4294967000, 0, true, true, 0},
		{1, 664, 25 * time.Millisecond, true, true, 0.02}, // the stamp has wrapped
		{1, 96664, 1900 * time.Millisecond, true, true, 2.02},
		{2, 5, 2500 * time.Millisecond, false, false, 2.02}, // another connection begins with a key frame
		{1, 97624, 2500 * time.Millisecond, true, true, 2.04},
		{2, 1000, 5 * time.Second, true, true, 5},
		{1, 98584, 5 * time.Second, true, false, 5}, // one that was left
		{2, 1960, 9 * time.Second, true, true, 9},   // nothing was sent, and the stamps do not say so
	} {
		taken, err := one.add(f.from, kind, frame{data: []byte{0xf8, 0xff, 0xfe}, timestamp: f.stamp, key: f.key}, began.Add(f.at))
		if err != nil || taken != f.taken {
			t.Fatalf("%+v: taken %v, %v", f, taken, err)
		}
		if got := rec.index.copy().Files[0].Seconds; got != f.wantSeconds {
			t.Errorf("%+v: at %v", f, got)
		}
	}
	if err := one.end(); err != nil {
		t.Fatal(err)
	}
	if taken, err := one.add(3, kind, frame{key: true}, time.Now()); taken || err != nil {
		t.Errorf("a frame is taken after the end: %v", err)
	}
	e := rec.index.copy().Files[0]
	want := []Gap{{At: 0.02, Seconds: 2}, {At: 2.04, Seconds: 2.96, Moved: true}, {At: 5, Seconds: 4}}
	for i := range e.Gaps { // binary fractions
		e.Gaps[i].Seconds = float64(int(e.Gaps[i].Seconds*1000+0.5)) / 1000
	}
	if diff := cmp.Diff(want, e.Gaps); diff != "" || !e.Whole || e.File != "a____b-mic.webm" {
		t.Errorf("%+v\n%s", e, diff)
	}
}

// A recording that could not be stopped ends by itself, but not one that nobody
// ordered in the room.
func TestUnwanted(t *testing.T) {
	for name, c := range map[string]struct {
		state room.State
		want  bool
	}{
		"it goes on":              {room.State{Settled: true, Recording: room.Recording{On: true, Task: "own"}}, false},
		"another is looked for":   {room.State{Settled: true, Recording: room.Recording{On: true}}, false},
		"another took its place":  {room.State{Settled: true, Recording: room.Recording{On: true, Task: "other"}}, true},
		"it was switched off":     {room.State{Settled: true}, true},
		"the conference is young": {room.State{}, false},
	} {
		if got := (&recording{task: "own", wished: true}).unwanted(c.state); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if (&recording{task: "own"}).unwanted(c.state) {
			t.Errorf("%s: a task of its own ends", name)
		}
	}
}

// An index goes on, but not that of another room.
func TestIndexGoesOn(t *testing.T) {
	rec, _ := testRecording(t)
	rec.index.add(&Entry{File: "a.webm", Source: "mic", Start: 2})
	if err := rec.index.end(); err != nil {
		t.Fatal(err)
	}
	again, err := openIndex(rec.dir, "rec", "r", time.Now())
	if err != nil || len(again.says.Files) != 1 || again.says.Ended {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := openIndex(rec.dir, "rec", "other", time.Now()); err == nil {
		t.Error("a recording of another room goes on")
	}
	if got := again.copy().mix("rec")["mix"].Inputs; len(got) != 1 || got[0] != (mixInput{"rec/a.webm", false, true, 2}) {
		t.Errorf("the mix: %+v", got)
	}
}
