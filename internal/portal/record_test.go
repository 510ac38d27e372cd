package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4/pkg/media/ivfreader"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/codectest"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomrec"
	"github.com/muster-fleet/muster/internal/roomsub"
	"github.com/muster-fleet/muster/internal/rtcload"
	"github.com/muster-fleet/muster/media"
	"github.com/muster-fleet/muster/node"
)

// recorder runs an agent that records below a directory, and mixes.
func (h *house) recorder(id, dir string) (crash func()) {
	h.t.Helper()
	tool, err := media.Find(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	o := media.Options{Root: dir}
	other, err := media.NewAny(media.Record, tool, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.agent(id, room.PurposeRecording, func(ctx context.Context, conn bus.Conn, nodeID string, ready func()) error {
		open := func(ctx context.Context) (bus.Conn, error) { return natsbus.Dial(ctx, bus.Options{URL: h.url}) }
		work := roomsub.Beside(other, roomrec.New(roomrec.Options{Open: open, Dir: o.Directory, Logger: h.log}))
		return node.Serve(ctx, conn, work, node.Options{ID: nodeID, Agent: id, Purpose: room.PurposeRecording}, ready)
	})
}

func ffmpeg(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, said bytes.Buffer
	cmd := exec.Command("ffmpeg", append([]string{"-v", "error", "-nostdin"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Errorf("ffmpeg %q: %v: %s", args, err, said.String())
	}
	return out.Bytes()
}

// filmed are real frames of a picture and of sound, key frames each.
func filmed(t *testing.T) map[string][][]byte {
	t.Helper()
	return filmOf(t, "testsrc2=size=320x180:rate=50", "sine=frequency=440")
}

// filmOf are a second's frames of a picture and of sound that ffmpeg makes.
func filmOf(t *testing.T, picture, sound string) map[string][][]byte {
	t.Helper()
	out := map[string][][]byte{}
	video, _, err := ivfreader.NewWith(bytes.NewReader(ffmpeg(t, "-f", "lavfi", "-i", picture, "-t", "1", "-c:v", "libvpx", "-g", "1",
		"-deadline", "realtime", "-b:v", "1M", "-f", "ivf", "-")))
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, _, err := video.ParseNextFrame()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		out["camera"] = append(out["camera"], frame)
	}
	out["mic"] = codectest.Opus(t, sound)
	return out
}

// probed is what ffprobe says of the first stream of a file.
type probed struct {
	Streams []struct {
		Codec  string `json:"codec_name"`
		Width  int    `json:"width"`
		Frames string `json:"nb_read_packets"`
	} `json:"streams"`
	Format struct {
		Name     string `json:"format_name"`
		Duration string `json:"duration"`
	} `json:"format"`
}

func (p probed) frames() int {
	n, _ := strconv.Atoi(p.Streams[0].Frames)
	return n
}

func probe(t *testing.T, path string) (p probed) {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-of", "json", "-count_packets", "-show_streams", "-show_format", path).Output()
	if err == nil {
		err = json.Unmarshal(out, &p)
	}
	if err != nil {
		t.Fatalf("ffprobe %s: %v: %s", path, err, out)
	}
	return p
}

// recordingOf reads the index below a directory.
func recordingOf(dir string) (x roomrec.Index, path string) {
	found, _ := filepath.Glob(filepath.Join(dir, "recordings", "r", "*", "recording.json"))
	if len(found) == 0 {
		return x, ""
	}
	text, err := os.ReadFile(found[0])
	if err != nil || json.Unmarshal(text, &x) != nil {
		return roomrec.Index{}, ""
	}
	return x, filepath.Dir(found[0])
}

// A room is recorded while its SFU, its conference and its recorder die. What is
// there can be played at any time, and mixed afterwards.
func TestRoomIsRecorded(t *testing.T) {
	h := newHouse(t)
	crashConference := h.conference()
	crashSFU := h.sfu("sfu-1")
	dir := t.TempDir()
	crashRecorder := h.recorder("recorder-1", dir)
	p := h.portal("portal-1")
	bob := h.join(p, request{Token: h.token("bob", room.Presenter)})
	carol := h.join(p, request{Token: h.token("carol", room.Viewer)})
	if e := carol.ask(request{Type: "record", On: true}); !strings.Contains(e.Error, "viewer") {
		t.Errorf("a viewer records: %+v", e)
	}
	alice := rtcload.Enter(rtcload.PersonOptions{
		Portals: []string{p.URL()}, Token: h.token("alice", room.Presenter), Publish: []string{"camera", "mic"}, Shows: filmed(t), Rate: frameRate,
	})
	t.Cleanup(alice.Close)
	if e := bob.ask(request{Type: "record", On: true}); e.Error != "" {
		t.Fatal(e.Error)
	}
	grown := func(what string, files int, f func(roomrec.Index) bool) (x roomrec.Index, at string) {
		t.Helper()
		h.until(what, func() bool {
			x, at = recordingOf(dir)
			return len(x.Files) >= files && !slices.ContainsFunc(x.Files[len(x.Files)-2:], func(e *roomrec.Entry) bool { return e.Seconds < 1 }) && f(x)
		})
		return x, at
	}
	x, at := grown("picture and sound are not recorded", 2, func(roomrec.Index) bool { return true })
	for _, e := range x.Files {
		got := probe(t, filepath.Join(at, e.File))
		if len(got.Streams) != 1 || got.Streams[0].Codec != e.Codec || got.frames() < frameRate/2 || e.User != "alice" || e.Whole {
			t.Errorf("while it grows: %+v, %+v", e, got)
		}
	}

	crashSFU()
	x, _ = grown("the files do not go on at another SFU", 2, func(x roomrec.Index) bool {
		return !slices.ContainsFunc(x.Files, func(e *roomrec.Entry) bool { return !e.Moved() })
	})
	if len(x.Files) != 2 {
		t.Errorf("%d files; want the two of before", len(x.Files))
	}

	crashConference()
	bob.until("another conference", func() bool { return bob.state.Settled && bob.state.Recording.On && bob.state.Part.Number == 2 })
	first := bob.state.Recording
	crashRecorder()
	bob.until("another recorder", func() bool {
		return bob.state.Recording.Node != "" && bob.state.Recording.Number > first.Number
	})
	grown("the recording does not go on with another recorder", 4, func(roomrec.Index) bool { return true })

	off, _ := http.NewRequestWithContext(h.ctx, http.MethodDelete, p.URL()+"/recording/r", nil)
	off.Header.Set("Authorization", "Bearer "+h.token("bob", room.Presenter))
	if res, text, err := do(off); err != nil || res.StatusCode != http.StatusNoContent {
		t.Fatalf("%v, %v: %s", res, err, text)
	}
	bob.until("the recording ends", func() bool { return !bob.state.Recording.On && bob.state.Recording.Node == "" })
	x, at = recordingOf(dir)
	if !x.Ended || len(x.Files) != 4 {
		t.Errorf("%+v", x)
	}
	for _, e := range x.Files {
		path := filepath.Join(at, e.File)
		got := probe(t, path)
		if got.frames() < frameRate/2 {
			t.Errorf("%s has %d frames", e.File, got.frames())
		}
		if e.Whole {
			ffmpeg(t, "-i", path, "-f", "null", "-")
		}
	}
	h.mixed(t, at)
}

// mixed has the spec beside a recording carried out.
func (h *house) mixed(t *testing.T, at string) {
	spec, err := os.ReadFile(filepath.Join(at, "mix.json"))
	if err != nil {
		t.Fatal(err)
	}
	placed, err := h.client.Schedule(h.ctx, client.Request{Purpose: room.PurposeRecording, Task: "mix"})
	if err != nil {
		t.Fatal(err)
	}
	order := placed.Order("r", spec)
	on, err := h.client.GetNode(h.ctx, placed.Worker, order)
	if err == nil {
		err = h.client.StartTask(h.ctx, on, order)
	}
	if err != nil {
		t.Fatal(err)
	}
	report, err := h.client.AwaitTask(h.ctx, on, "mix", patience)
	if err != nil || report.State != muster.TaskDone {
		t.Fatalf("%+v, %v", report, err)
	}
	got := probe(t, filepath.Join(at, "mix.mp4"))
	if len(got.Streams) != 2 || got.Streams[0].Width != 1280 {
		t.Errorf("the mix: %+v", got)
	}
	ffmpeg(t, "-i", filepath.Join(at, "mix.mp4"), "-f", "null", "-")
}
