package roomrec

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-fleet/muster/internal/codectest"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomsub"
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
	return &recording{room: &roomsub.Room{Log: slog.New(slog.DiscardHandler)}, dir: dir, index: x, notify: func(string, any) {}}, path
}

// What each codec's packets say is in a file that others decode.
func TestFormats(t *testing.T) {
	for _, c := range codectest.Codecs {
		t.Run(c.Name, func(t *testing.T) {
			rec, dir := testRecording(t)
			one := &take{rec: rec, who: room.Participant{ID: "p", User: "a"}, what: room.Track{ID: "p.camera", Source: "camera"}}
			a, err := roomsub.NewAssembler(c.MIME)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			packets := c.Packetizer()
			for i, data := range c.Frames(t, "testsrc2=size=320x180:rate=10") {
				for _, p := range packets.Packetize(data, 9000) {
					for _, f := range a.Push(p) {
						if taken, err := one.add(1, a.Codec, f, began.Add(time.Duration(i)*100*time.Millisecond)); err != nil || !taken {
							t.Fatalf("frame %d: taken %v, %v", i, taken, err)
						}
					}
				}
			}
			if err := one.end(); err != nil {
				t.Fatal(err)
			}
			file := "a-camera.webm"
			if !a.Codec.WebM {
				file = "a-camera.mkv"
			}
			got := string(run(t, "ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=codec_name,width,height,nb_read_frames", "-of", "csv=p=0", filepath.Join(dir, file)))
			if want := c.Name + ",320,180,9"; strings.TrimSpace(got) != want || a.Codec.Name != c.Name { // the last one waits for the next
				t.Errorf("%s has %s; want %s", file, got, want)
			}
		})
	}
}

// Frames are at the times of their publisher, and a file says when nothing came.
func TestTimes(t *testing.T) {
	rec, _ := testRecording(t)
	one := &take{rec: rec, who: room.Participant{User: "a/../b"}, what: room.Track{Source: "mic"}}
	began := time.Now()
	sound, err := roomsub.NewAssembler("audio/opus")
	if err != nil {
		t.Fatal(err)
	}
	kind := sound.Codec
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
		taken, err := one.add(f.from, kind, roomsub.Frame{Data: []byte{0xf8, 0xff, 0xfe}, Timestamp: f.stamp, Key: f.key}, began.Add(f.at))
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
	if taken, err := one.add(3, kind, roomsub.Frame{Key: true}, time.Now()); taken || err != nil {
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
		"it goes on":              {room.State{Settled: true, Recording: room.Outlet{On: true, Task: "own"}}, false},
		"another is looked for":   {room.State{Settled: true, Recording: room.Outlet{On: true}}, false},
		"another took its place":  {room.State{Settled: true, Recording: room.Outlet{On: true, Task: "other"}}, true},
		"it was switched off":     {room.State{Settled: true}, true},
		"the conference is young": {room.State{}, false},
	} {
		if wanted := (Spec{Wished: true}).wanted("own")(c.state); wanted == c.want {
			t.Errorf("%s: %v", name, wanted)
		}
	}
	if (Spec{}).wanted("own") != nil {
		t.Error("a task of its own ends")
	}
}

// An index goes on, but not that of another room.
func TestIndexGoesOn(t *testing.T) {
	rec, _ := testRecording(t)
	rec.index.change(func() {
		rec.index.says.Files = append(rec.index.says.Files, &Entry{File: "a.webm", Source: "mic", Start: 2})
	})
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
