package portal

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image/color"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomstream"
	"github.com/muster-fleet/muster/internal/roomsub"
	"github.com/muster-fleet/muster/internal/rtcload"
	"github.com/muster-fleet/muster/media"
	"github.com/muster-fleet/muster/node"
)

// streamer runs an agent that streams, with files below a directory.
func (h *house) streamer(id, dir string) (crash func()) {
	h.t.Helper()
	tool, err := media.Find(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	o := media.Options{Root: dir}
	other, err := media.NewAny(media.Stream, tool, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.agent(id, room.PurposeStreaming, func(ctx context.Context, conn bus.Conn, nodeID string, ready func()) error {
		open := func(ctx context.Context) (bus.Conn, error) { return natsbus.Dial(ctx, bus.Options{URL: h.url}) }
		rooms, err := roomstream.New(roomstream.Options{Open: open, Tool: tool, Media: o, Logger: h.log})
		if err != nil {
			return err
		}
		return node.Serve(ctx, conn, roomsub.Beside(other, rooms), node.Options{ID: nodeID, Agent: id, Purpose: room.PurposeStreaming}, ready)
	})
}

// rtmpServer is nginx with its module for RTMP.
type rtmpServer struct {
	t         *testing.T
	dir, addr string
	cmd       *exec.Cmd
}

func newRTMPServer(t *testing.T) *rtmpServer {
	t.Helper()
	const module = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
	if _, err := os.Stat(module); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: run scripts/install-tools", err)
		}
		t.Skip("nginx has no module for RTMP here: run scripts/install-tools")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rtmpServer{t: t, dir: t.TempDir(), addr: l.Addr().String()}
	_ = l.Close()
	conf := "daemon off; master_process off; pid pid; error_log stderr crit; load_module " + module + `;
		events {}
		rtmp { server { listen ` + s.addr + `; application live { live on; } } }`
	if err := os.WriteFile(filepath.Join(s.dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *rtmpServer) start() {
	s.t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	s.cmd = exec.Command(program, "-p", s.dir, "-c", filepath.Join(s.dir, "nginx.conf"))
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *rtmpServer) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// audience watches a stream as a player does, again whenever it breaks off.
type audience struct {
	h   *house
	url string

	mu      sync.Mutex
	picture []byte // the last one, of audienceWidth x audienceHeight, RGB
	sound   []int16
	begun   int
}

const audienceWidth, audienceHeight = 64, 36

func (h *house) watch(url string) *audience {
	a := &audience{h: h, url: url}
	ctx, cancel := context.WithCancel(h.ctx)
	var watching sync.WaitGroup
	h.t.Cleanup(func() { cancel(); watching.Wait() })
	for _, what := range []func(context.Context){a.look, a.listen} {
		watching.Go(func() {
			for ctx.Err() == nil {
				what(ctx)
				select {
				case <-ctx.Done():
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	return a
}

func (a *audience) play(ctx context.Context, read func(io.Reader), args ...string) {
	cmd := exec.CommandContext(ctx, "ffmpeg", append([]string{"-v", "quiet", "-nostdin", "-i", a.url}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return
	}
	read(out)
	_ = cmd.Wait()
}

func (a *audience) look(ctx context.Context) {
	a.play(ctx, func(r io.Reader) {
		for n := 0; ; n++ {
			picture := make([]byte, audienceWidth*audienceHeight*3)
			if _, err := io.ReadFull(r, picture); err != nil {
				return
			}
			a.mu.Lock()
			if n == 0 {
				a.begun++
			}
			a.picture = picture
			a.mu.Unlock()
		}
	}, "-an", "-vf", fmt.Sprintf("scale=%d:%d,format=rgb24", audienceWidth, audienceHeight), "-f", "rawvideo", "-")
}

func (a *audience) listen(ctx context.Context) {
	a.play(ctx, func(r io.Reader) {
		for {
			raw := make([]byte, 2*soundRate/5)
			if _, err := io.ReadFull(r, raw); err != nil {
				return
			}
			samples := make([]int16, len(raw)/2)
			for i := range samples {
				samples[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
			}
			a.mu.Lock()
			a.sound = samples
			a.mu.Unlock()
		}
	}, "-vn", "-ac", "1", "-ar", fmt.Sprint(soundRate), "-f", "s16le", "-")
}

const soundRate = 8000

// at is the colour at a place, in shares of the width and the height.
func (a *audience) at(x, y float64) (c color.RGBA) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.picture == nil {
		return c
	}
	i := 3 * (int(y*audienceHeight)*audienceWidth + int(x*audienceWidth))
	return color.RGBA{a.picture[i], a.picture[i+1], a.picture[i+2], 255}
}

// tone is how much of a frequency the sound has, from 0 to 1.
func (a *audience) tone(hertz float64) float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var re, im float64
	for i, v := range a.sound {
		phase := 2 * math.Pi * hertz * float64(i) / soundRate
		re, im = re+float64(v)*math.Cos(phase), im+float64(v)*math.Sin(phase)
	}
	return 2 * math.Hypot(re, im) / float64(max(1, len(a.sound))) / math.MaxInt16
}

// look of a colour, as far as encoders keep it.
func is(c color.RGBA, want string) bool {
	high, low := func(v uint8) bool { return v > 150 }, func(v uint8) bool { return v < 90 }
	switch want {
	case "red":
		return high(c.R) && low(c.G) && low(c.B)
	case "green":
		return low(c.R) && high(c.G) && low(c.B)
	case "blue":
		return low(c.R) && low(c.G) && high(c.B)
	}
	return c.A > 0 && low(c.R) && low(c.G) && low(c.B)
}

// shows waits until the stream has these colours side by side.
func (a *audience) shows(what string, colours ...string) {
	a.h.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		all := true
		for i, want := range colours {
			all = all && is(a.at((float64(i)+0.5)/float64(len(colours)), 0.5), want)
		}
		if all {
			return
		}
		select {
		case <-again.C:
		case <-late:
			name := filepath.Join(os.TempDir(), "stream-failed.rgb")
			a.mu.Lock()
			_ = os.WriteFile(name, a.picture, 0o600)
			a.mu.Unlock()
			a.h.t.Fatalf("%s: want %q side by side; see %s\n%s", what, colours, name, a.h.logs.String())
		}
	}
}

// colourful is somebody who shows one colour, and is heard at one frequency.
func (h *house) colourful(p *Portal, user, colour string, hertz int) *rtcload.Person {
	h.t.Helper()
	person := rtcload.Enter(rtcload.PersonOptions{
		Portals: []string{p.URL()}, Token: h.token(user, room.Presenter), Publish: []string{"camera", "mic"}, Rate: frameRate,
		Shows: filmOf(h.t, "color="+colour+":size=320x180:rate=50", fmt.Sprintf("sine=frequency=%d", hertz)),
	})
	h.t.Cleanup(person.Close)
	h.until(user+" is not in the room", func() bool { return person.View().You != "" })
	return person
}

// onlooker is a participant who sends nothing: it knows the room's state.
func (h *house) onlooker(p *Portal) (state func() room.State) {
	person := rtcload.Enter(rtcload.PersonOptions{Portals: []string{p.URL()}, Token: h.token("olga", room.Viewer)})
	h.t.Cleanup(person.Close)
	return func() room.State { return person.View().State }
}

// inOrder are the colours of people in the order of their tiles.
func inOrder(s room.State, colours map[string]string) (out []string) {
	for _, p := range s.Participants {
		if c := colours[p.User]; c != "" && len(p.Tracks) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// A room is streamed as one picture, while people come and go, and its SFU, the RTMP
// server, the conference and the worker that streams die. The key in the URL is kept
// from everybody.
func TestRoomIsStreamed(t *testing.T) {
	h := newHouse(t)
	crashConference := h.conference()
	crashSFU := h.sfu("sfu-1")
	crashStreamer := h.streamer("streamer-1", t.TempDir())
	p := h.portal("portal-1")
	server := newRTMPServer(t)
	const key = "a-secret-key"
	url := "rtmp://" + server.addr + "/live/" + key
	state := h.onlooker(p)
	bob := h.join(p, request{Token: h.token("bob", room.Presenter)})
	carol := h.join(p, request{Token: h.token("carol", room.Viewer)})
	for who, q := range map[*guest]request{
		carol: {Type: "stream", On: true, Target: room.Target{Output: url}},
		bob:   {Type: "stream", On: true, Target: room.Target{Output: "http://127.0.0.1/x.m3u8"}},
	} {
		if e := who.ask(q); e.Error == "" {
			t.Errorf("%+v is not refused", q)
		}
	}
	h.colourful(p, "alice", "red", 440)
	if e := bob.ask(request{Type: "stream", On: true, Target: room.Target{Output: url}}); e.Error != "" {
		t.Fatal(e.Error)
	}
	if e := bob.ask(request{Type: "stream", On: true, Target: room.Target{Output: url + "2"}}); !strings.Contains(e.Error, "already") {
		t.Errorf("another target: %+v", e)
	}
	a := h.watch(url)
	a.shows("alice alone", "red")
	colours := map[string]string{"alice": "red", "dave": "blue", "erin": "lime"}
	names := map[string]string{"red": "red", "blue": "blue", "lime": "green"}
	everybody := func() (out []string) {
		for _, c := range inOrder(state(), colours) {
			out = append(out, names[c])
		}
		return out
	}
	there := func(n int) {
		t.Helper()
		h.until(fmt.Sprint("not ", n, " who send"), func() bool { return len(everybody()) == n })
	}

	dave := h.colourful(p, "dave", "blue", 1000)
	there(2)
	a.shows("with dave", everybody()...)
	if c := a.at(0.5, 0.1); !is(c, "black") {
		t.Errorf("above the tiles it is %v", c)
	}
	h.until("not both are heard", func() bool { return a.tone(440) > 0.03 && a.tone(1000) > 0.03 })
	dave.Close()
	there(1)
	a.shows("without dave", "red")
	h.until("dave is still heard", func() bool { return a.tone(440) > 0.03 && a.tone(1000) < 0.005 })
	begun := a.begun

	crashSFU()
	h.until("no other part", func() bool { return state().Part.Number == 2 && state().Part.Node != "" })
	h.colourful(p, "erin", "lime", 2000)
	there(2)
	a.shows("after the death of the SFU", everybody()...)
	h.until("not both are heard after it", func() bool { return a.tone(440) > 0.03 && a.tone(2000) > 0.03 })
	a.mu.Lock()
	if a.begun != begun {
		t.Error("the stream was interrupted")
	}
	a.mu.Unlock()

	server.stop()
	a.mu.Lock()
	a.picture = nil
	a.mu.Unlock()
	server.start()
	a.shows("after the death of the server", everybody()...)

	crashConference()
	h.until("no other conference", func() bool { return state().Settled && state().Streaming.On && state().Streaming.Node != "" })
	first := state().Streaming
	crashStreamer()
	h.until("no other worker", func() bool {
		return state().Streaming.Node != "" && state().Streaming.Number > first.Number
	})
	a.mu.Lock()
	a.picture = nil
	a.mu.Unlock()
	a.shows("after the death of the worker", everybody()...)
	if now := state().Streaming; now.To != "rtmp://"+server.addr+"/…" || now.By != "bob" {
		t.Errorf("%+v", now)
	}

	off, _ := http.NewRequestWithContext(h.ctx, http.MethodDelete, p.URL()+"/stream/r", nil)
	off.Header.Set("Authorization", "Bearer "+h.token("bob", room.Presenter))
	if res, text, err := do(off); err != nil || res.StatusCode != http.StatusNoContent {
		t.Fatalf("%v, %v: %s", res, err, text)
	}
	h.until("the stream does not end", func() bool { return !state().Streaming.On && state().Streaming.Node == "" })
	said, err := json.Marshal(state())
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"the state": string(said), "the log": h.logs.String()} {
		if strings.Contains(text, key) {
			t.Errorf("%s has the key: %s", what, text)
		}
	}
}

// Into HLS in files, with a screen that is large, and the list goes on where another
// stream follows. It is what was asked for, by default 1280x720 with sound.
func TestRoomIsStreamedIntoHLS(t *testing.T) {
	h := newHouse(t)
	h.conference()
	h.sfu("sfu-1")
	dir := t.TempDir()
	h.streamer("streamer-1", dir)
	p := h.portal("portal-1")
	state := h.onlooker(p)
	h.colourful(p, "alice", "red", 440)
	screen := filmOf(h.t, "color=blue:size=320x240:rate=50", "sine")
	dave := rtcload.Enter(rtcload.PersonOptions{
		Portals: []string{p.URL()}, Token: h.token("dave", room.Presenter), Publish: []string{"screen"}, Rate: frameRate, Shows: map[string][][]byte{"screen": screen["camera"]},
	})
	h.t.Cleanup(dave.Close)
	order := func(method, token, body string, want int) {
		t.Helper()
		q, err := http.NewRequestWithContext(h.ctx, method, p.URL()+"/stream/r", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+token)
		if res, text, err := do(q); err != nil || res.StatusCode != want {
			t.Errorf("%s %s: %v, %v: %s; want %d", method, body, res, err, text, want)
		}
	}
	presenter := h.token("bob", room.Presenter)
	const to = `{"output": "streams/r.m3u8"}`
	order("POST", h.token("carol", room.Viewer), to, http.StatusForbidden)
	order("POST", presenter, `{"output": "streams/../r.m3u8"}`, http.StatusForbidden)
	order("POST", presenter, `{"output": "streams/r.mp4"}`, http.StatusConflict)
	order("POST", presenter, `streams/r.m3u8`, http.StatusBadRequest)
	list := filepath.Join(dir, "streams", "r.m3u8")
	segments := func() int {
		text, _ := os.ReadFile(list)
		return strings.Count(string(text), ".ts\n")
	}
	for i := range 2 {
		before := segments()
		order("POST", presenter, to, http.StatusNoContent)
		h.until("the stream does not begin", func() bool { return state().Streaming.Node != "" })
		h.until("no segments", func() bool { return segments() >= before+2 })
		order("DELETE", presenter, "", http.StatusNoContent)
		h.until("the stream does not end", func() bool { return !state().Streaming.On && state().Streaming.Node == "" })
		text, err := os.ReadFile(list)
		if err != nil || !strings.HasSuffix(string(text), "#EXT-X-ENDLIST\n") || strings.Count(string(text), "#EXT-X-ENDLIST") != 1 {
			t.Errorf("stream %d: %v\n%s", i, err, text)
		}
	}
	a := &audience{h: h, url: filepath.Join(dir, "streams", "r-00001.ts")}
	a.look(h.ctx)
	for _, place := range []struct {
		x, y float64
		want string
	}{{0.375, 0.5, "blue"}, {0.875, 0.5, "red"}, {0.875, 0.1, "black"}, {0.02, 0.5, "black"}} {
		if c := a.at(place.x, place.y); !is(c, place.want) {
			t.Errorf("at %v, %v it is %v; want %s", place.x, place.y, c, place.want)
		}
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height,r_frame_rate,sample_rate,channels", "-of", "csv=p=0", a.url).Output()
	if want := "h264,1280,720,25/1\naac,48000,2,0/0\n"; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("it is %s, %v; want %s", out, err, want)
	}
}
