package portal

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomfeed"
	"github.com/muster-fleet/muster/internal/roomsub"
	"github.com/muster-fleet/muster/internal/rtcload"
	"github.com/muster-fleet/muster/media"
	"github.com/muster-fleet/muster/node"
)

// worksOnRooms runs an agent whose media tasks may work on what is sent in rooms.
func (h *house) worksOnRooms(purpose, kind, dir string) {
	h.t.Helper()
	tool, err := media.Find(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	work, err := media.New(kind, tool, media.Options{Root: dir})
	if err != nil {
		h.t.Fatal(err)
	}
	h.agent(purpose+"-1", purpose, func(ctx context.Context, conn bus.Conn, nodeID string, ready func()) error {
		open := func(ctx context.Context) (bus.Conn, error) { return natsbus.Dial(ctx, bus.Options{URL: h.url}) }
		all := roomsub.Beside(work, roomfeed.New(roomfeed.Options{Open: open, Work: work, Logger: h.log}))
		return node.Serve(ctx, conn, all, node.Options{ID: nodeID, Agent: purpose + "-1", Purpose: purpose}, ready)
	})
}

// begin starts a task, and returns its node.
func (h *house) begin(t *testing.T, purpose, task, spec string) (node string, err error) {
	t.Helper()
	placed, err := h.client.Schedule(h.ctx, client.Request{Purpose: purpose, Task: task})
	if err != nil {
		t.Fatal(err)
	}
	order := placed.Order("r", json.RawMessage(spec))
	node, err = h.client.GetNode(h.ctx, placed.Worker, order)
	if err != nil {
		t.Fatal(err)
	}
	return node, h.client.StartTask(h.ctx, node, order)
}

// What somebody sends is analysed and transcoded while it is sent, also while the SFU
// dies; the tasks are done when the sender leaves.
func TestMediaTasksOnARoom(t *testing.T) {
	h := newHouse(t)
	h.conference()
	crashSFU := h.sfu("sfu-1")
	h.sfu("sfu-2")
	dir := t.TempDir()
	h.worksOnRooms("analytics", media.Analyse, dir)
	h.worksOnRooms("video", media.Transcode, dir)
	p := h.portal("portal-1")
	bob := h.join(p, request{Token: h.token("bob", room.Presenter)})

	analysis, err := h.begin(t, "analytics", "look", `{"room": {"room": "r", "from": "alice", "spec": {"detect": {"black": {"min_seconds": 0.5}, "loudness": {}}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	copying, err := h.begin(t, "video", "copy", `{"room": {"room": "r", "spec": {"output": "copy", "ladder": [{"height": 90}]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for want, spec := range map[string]string{
		"spec.input":           `{"room": {"room": "r", "spec": {"input": "x", "detect": {"black": {}}}}}`,
		"source: must be":      `{"room": {"room": "r", "source": "phone", "spec": {}}}`,
		"spec.detect":          `{"room": {"room": "r", "spec": {"detect": {}}}}`,
		`unknown field "frmo"`: `{"room": {"room": "r", "frmo": "alice", "spec": {}}}`,
		"non-empty":            `{"room": {"room": "", "spec": {}}}`,
		"without its input":    `{"room": {"room": "r"}}`,
	} {
		if _, err := h.begin(t, "analytics", "wrong: "+want, spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", spec, err, want)
		}
	}

	alice := rtcload.Enter(rtcload.PersonOptions{
		Portals: []string{p.URL()}, Token: h.token("alice", room.Presenter), Publish: []string{"camera", "mic"},
		Shows: filmOf(t, "color=black:size=320x180:rate=50", "sine=frequency=440"), Rate: frameRate,
	})
	t.Cleanup(alice.Close)
	frames := func(on, task string) (n float64) {
		report, err := h.client.TaskStats(h.ctx, on, task)
		var detail struct{ Frames float64 }
		if err != nil || json.Unmarshal(report.Detail, &detail) != nil {
			return 0
		}
		return detail.Frames
	}
	h.until("both tasks get pictures", func() bool { return frames(analysis, "look") > frameRate && frames(copying, "copy") > frameRate })
	crashSFU()
	bob.until("another SFU", func() bool { return bob.state.Part.Number > 1 && bob.state.Part.Node != "" })
	before := frames(copying, "copy")
	h.until("the pictures go on at another SFU", func() bool { return frames(copying, "copy") > before+2*frameRate })
	alice.Close()
	for on, task := range map[string]string{analysis: "look", copying: "copy"} {
		report, err := h.client.AwaitTask(h.ctx, on, task, patience)
		if err != nil || report.State != muster.TaskDone {
			t.Fatalf("%s: %+v, %v", task, report, err)
		}
		if task == "look" && !strings.Contains(string(report.Detail), `"black"`) {
			t.Errorf("the analysis found %s", report.Detail)
		}
	}
	made, _ := filepath.Glob(filepath.Join(dir, "copy", "*.mp4"))
	if len(made) != 1 {
		t.Fatalf("the transcoding made %q", made)
	}
	got := probe(t, made[0])
	if len(got.Streams) != 2 || got.Streams[0].Codec != "h264" || got.Streams[0].Width != 160 {
		t.Errorf("the copy: %+v", got)
	}
	ffmpeg(t, "-i", made[0], "-f", "null", "-")
}
