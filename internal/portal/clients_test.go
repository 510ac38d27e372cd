package portal

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// Programs that speak WHIP send a picture and a sound to a client of WHEP.
func TestProgramsThatSpeakWHIP(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	p := h.portal("portal-1")
	url, token := p.URL()+"/whip/r", h.token("alice", room.Presenter)
	watcher := h.join(p, request{Token: h.token("carol", room.Viewer)})
	const (
		sound   = "audiotestsrc is-live=true ! opusenc ! rtpopuspay pt=100 ssrc=1 ! application/x-rtp,media=audio,encoding-name=OPUS,payload=100"
		picture = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1 ! vp8enc deadline=1 ! rtpvp8pay pt=96 ssrc=2 ! " +
			"application/x-rtp,media=video,encoding-name=VP8,payload=96"
	)
	gstreamer := []string{"-u", url, "-t", token, "-A", sound, "-V", picture}
	for name, c := range map[string]struct {
		directory, program string
		arguments          []string
	}{
		"ffmpeg": {"forky-ffmpeg", "ffmpeg", []string{
			"-nostdin", "-loglevel", "warning", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15", "-re", "-f", "lavfi", "-i", "sine",
			"-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "15",
			"-c:a", "libopus", "-ar", "48000", "-ac", "2", "-f", "whip", "-authorization", token, url,
		}},
		"GStreamer":              {"trixie-simple-whip-client", "whip-client", append([]string{"-n"}, gstreamer...)},
		"GStreamer, trickle ICE": {"trixie-simple-whip-client", "whip-client", gstreamer},
	} {
		t.Run(name, func(t *testing.T) {
			stop := startProgram(t, unpacked(t, c.directory, c.program), c.arguments...)
			watcher.until("alice sends", func() bool {
				return slices.ContainsFunc(watcher.state.Participants, func(p room.Participant) bool { return p.User == "alice" && len(p.Tracks) == 2 })
			})
			h.receivesByWHEP(t, p, "alice")
			stop()
			watcher.until("alice left", func() bool { return !slices.Contains(watcher.people(), "alice") })
		})
	}
}

// unpacked finds a program of a later Debian.
func unpacked(t *testing.T, directory, program string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "muster", directory, "bin", program)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: run scripts/install-tools", err)
		}
		t.Skipf("%v: run scripts/install-tools", err)
	}
	return path
}

// startProgram runs a program until stop interrupts it.
func startProgram(t *testing.T, path string, arguments ...string) (stop func()) {
	t.Helper()
	cmd := exec.Command(path, arguments...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // an interrupt is an error to some
		close(ended)
	}()
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(path), said.String())
		}
	})
	return stop
}

// receivesByWHEP waits for packets of a participant's camera and microphone.
func (h *house) receivesByWHEP(t *testing.T, p *Portal, from string) {
	t.Helper()
	signal := func(ctx context.Context, o room.Offer) (string, error) {
		res, text, err := post(ctx, p.URL()+"/whep/r?from="+from, h.token("bob", room.Viewer), sdpType, o.SDP)
		if err == nil && res.StatusCode != http.StatusCreated {
			t.Errorf("WHEP: %s: %s", res.Status, text)
		}
		return text, err
	}
	got := make(chan string, 100_000)
	subscriber, err := rtcload.Client{}.Subscribe(h.ctx, signal, "r", "bob", func(track string, _ *rtp.Packet, _ interceptor.Attributes) {
		got <- track
	}, room.Track{ID: "camera", Source: "camera"}, room.Track{ID: "mic", Source: "mic"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = subscriber.Close() }()
	seen := map[string]int{}
	for seen["camera"] < 20 || seen["mic"] < 20 {
		select {
		case track := <-got:
			seen[track]++
		case <-h.ctx.Done():
			t.Fatalf("packets: %v", seen)
		}
	}
}
