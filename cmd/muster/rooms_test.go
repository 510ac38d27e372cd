package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomrec"
)

const pollEvery = 50 * time.Millisecond

// beginRooms starts a cluster with rooms, and returns it with the links that it
// prints.
func beginRooms(t *testing.T) (c *cluster, links [2]string) {
	t.Helper()
	c = &cluster{workers: map[string]upWorker{}}
	c.started = begin(t, "up", "--listen", "127.0.0.1:0", "--load", "memory", "--workers", "1", "--portal", "127.0.0.1:0")
	c.url = c.await(`Cluster \S+ at (nats://127\.0\.0\.1:\d+)\n`)[1]
	found := c.await(`for two people:\n\n +(http://\S+)\n +(http://\S+)\n`)
	c.await("Ctrl-C ends")
	for _, m := range workerLine.FindAllStringSubmatch(c.out.String(), -1) {
		var pid int
		if _, err := fmt.Sscan(m[3], &pid); err != nil {
			t.Fatal(err)
		}
		c.workers[m[1]] = upWorker{m[2], pid}
		c.pids = append(c.pids, pid)
	}
	t.Cleanup(func() { c.nobodyLeft() })
	return c, [2]string{found[1], found[2]}
}

// sfuKills is how often the SFU is killed; more than once is for measuring.
var sfuKills = flag.Int("sfukills", 1, "how often the test of rooms kills the SFU")

// secondSFU is another agent that forwards media.
const secondSFU = "webrtc-second"

// seen is an expression that is true when the page shows a moving picture under
// that key. later is how many frames it must have.
func seen(key string, later int) string {
	return fmt.Sprintf(`musterRoom.pictures.some((p) => p.key === %q && p.frames > %d && p.height > 0)`, key, later)
}

func frames(p *tab, key string) int {
	return value[int](p, fmt.Sprintf(`musterRoom.pictures.find((p) => p.key === %q).frames`, key))
}

// keepsMoving waits until the picture has gone on for a while.
func keepsMoving(p *tab, key string) {
	p.t.Helper()
	p.await(seen(key, frames(p, key)+8))
}

// join enters the room and returns the participant's id.
func join(p *tab) string {
	p.t.Helper()
	p.click("join")
	p.await(`window.musterRoom && musterRoom.you !== "" && musterRoom.state.participants.some((p) => p.id === musterRoom.you)`)
	return value[string](p, `musterRoom.you`)
}

// nodePID is the process of the node of an agent.
func nodePID(t *testing.T, url, agent string) int {
	t.Helper()
	for _, n := range decoded[[]muster.Node](t, "nodes", agent, "--url", url) {
		if n.State == muster.NodeBusy {
			return n.PID
		}
	}
	t.Fatalf("%s has no busy node", agent)
	return 0
}

// Two browsers meet in a room. Then each part of it is killed in turn, and the
// room goes on.
func TestTwoBrowsersInARoom(t *testing.T) {
	c, links := beginRooms(t)
	b := startBrowser(t)
	alice, bob := b.open("alice", links[0], 1100, 700), b.open("bob", links[1], 390, 760)
	alice.shot("lobby")
	a, o := join(alice), join(bob)
	alice.await(seen(o, 10))
	bob.await(seen(a, 10))
	alice.await(fmt.Sprintf(`musterRoom.speaking.includes(%q)`, o)) // its microphone beeps

	bob.click("mic")
	alice.await(fmt.Sprintf(`musterRoom.state.participants.find((p) => p.id === %q).tracks.find((t) => t.source === "mic").muted`, o))
	alice.await(fmt.Sprintf(`!musterRoom.speaking.includes(%q)`, o))
	bob.click("mic")
	value[bool](bob, `(document.getElementById("text").value = "hello, everybody", document.querySelector("#write button").click(), true)`)
	alice.await(`document.getElementById("messages").textContent.includes("hello, everybody")`)

	alice.click("screen")
	bob.await(seen(a+".screen", 3))
	alice.click("chat")
	alice.shot("room")
	bob.shot("phone")
	alice.click("screen")
	bob.await(`musterRoom.pictures.length === 2`)
	alice.click("chat")
	bob.click("camera")
	alice.await(fmt.Sprintf(`musterRoom.pictures.find((p) => p.key === %q).id === ""`, o))
	bob.click("camera")
	keepsMoving(alice, o)
	contains(t, done(t, "rooms", "--url", c.url), upRoom, "2 ")
	contains(t, done(t, "room", upRoom, "--url", c.url), "alice", "bob", "mic, camera", c.workers["portal"].id)
	contains(t, done(t, "why", "participant", upRoom, "alice", "--url", c.url), "alice (presenter", "webrtc lobby#1 was placed on "+c.workers[room.PurposeSFU].id,
		"is connected", "camera", "video/VP8", "HELD BACK", "RECEIVES")
	noSecrets(t, c.out.String(), links)

	recordings := t.TempDir()
	begin(t, "agent", "--purpose", room.PurposeRecording, "--id", "recorder", "--root", recordings, "--load", "memory", "--max-load", "1", "--url", c.url, "--dir", t.TempDir())
	free(t, c.url, "recorder")
	bob.click("record")
	alice.await(`musterRoom.state.recording.on && Boolean(musterRoom.state.recording.node) && !document.getElementById("recording").hidden`)
	contains(t, done(t, "room", upRoom, "--url", c.url), "recorded by recorder", "as bob said")
	streams := t.TempDir()
	begin(t, "agent", "--purpose", room.PurposeStreaming, "--id", "streamer", "--root", streams, "--load", "memory", "--max-load", "1", "--url", c.url, "--dir", t.TempDir())
	free(t, c.url, "streamer")
	streamTo(bob, "http://127.0.0.1/secret.m3u8")
	bob.await(`!document.getElementById("stream-problem").hidden`)
	streamTo(bob, "streams/lobby.m3u8")
	bob.await(`!document.getElementById("stream-to").open`)
	alice.await(`musterRoom.state.streaming.on && Boolean(musterRoom.state.streaming.node) && document.getElementById("streaming").textContent.includes("Streamed to streams/lobby.m3u8")`)
	alice.shot("streamed")
	contains(t, done(t, "room", upRoom, "--url", c.url), "streamed to streams/lobby.m3u8 by streamer", "as bob said")
	done(t, "run", room.PurposeStreaming, "own", "--spec", `{"room": {"room": "`+upRoom+`", "output": "own.m3u8", "layout": "speaker", "width": 640, "height": 360}}`, "--url", c.url)
	begin(t, append([]string{"agent", "--purpose", room.PurposeSFU, "--id", secondSFU, "--load", "memory", "--max-load", "1", "--max-nodes", "1",
		"--per", "room", "--reuse", "--prerun", "1", "--notify", "--url", c.url, "--dir", t.TempDir()}, "--", program, "sfu")...)
	free(t, c.url, secondSFU)
	t.Run("SFU drained", func(t *testing.T) {
		value[bool](alice, `(musterRoom.reset(), true)`)
		done(t, "drain", c.workers[room.PurposeSFU].id, "--url", c.url)
		alice.await(fmt.Sprintf(`musterRoom.moves === 1 && musterRoom.node.startsWith(%q)`, secondSFU))
		keepsMoving(alice, o)
		keepsMoving(bob, a)
		t.Logf("largest gap of the picture: %.0f ms", value[float64](alice, fmt.Sprintf(`musterRoom.pictures.find((p) => p.key === %q).gap`, o)))
	})
	t.Run("SFU killed", func(t *testing.T) {
		for i := range *sfuKills {
			value[bool](alice, `(musterRoom.reset(), true)`)
			kill(t, nodePID(t, c.url, secondSFU))
			alice.await(fmt.Sprintf(`musterRoom.moves === %d`, i+2))
			keepsMoving(alice, o)
			keepsMoving(bob, a)
			t.Logf("largest gap of the picture: %.0f ms", value[float64](alice, fmt.Sprintf(`musterRoom.pictures.find((p) => p.key === %q).gap`, o)))
		}
	})
	t.Run("streamed", func(t *testing.T) {
		done(t, "stop", room.PurposeStreaming, "own", "--url", c.url)
		contains(t, done(t, "rooms", "stream", upRoom, "--stop", "--url", c.url), "is not streamed")
		alice.await(`!musterRoom.state.streaming.on && !musterRoom.state.streaming.node && document.getElementById("streaming").hidden`)
		streamed(t, filepath.Join(streams, "streams", "lobby.m3u8"), "1280,720")
		streamed(t, filepath.Join(streams, "own.m3u8"), "640,360")
	})
	t.Run("recorded", func(t *testing.T) {
		contains(t, done(t, "rooms", "record", upRoom, "--stop", "--url", c.url), "is not recorded")
		alice.await(`!musterRoom.state.recording.on && !musterRoom.state.recording.node && document.getElementById("recording").hidden`)
		recorded(t, recordings)
	})
	t.Run("conference killed", func(t *testing.T) {
		value[bool](alice, `(musterRoom.reset(), true)`)
		version := value[int](alice, `musterRoom.state.version`)
		kill(t, nodePID(t, c.url, c.workers[room.PurposeConference].id))
		alice.await(fmt.Sprintf(`musterRoom.state.version > %d && musterRoom.state.settled && musterRoom.state.participants.length === 2`, version))
		if moves := value[int](alice, `musterRoom.moves`); moves != 1+*sfuKills {
			t.Errorf("the people were moved %d times; want %d, all before", moves, 1+*sfuKills)
		}
		keepsMoving(alice, o)
		t.Logf("largest gap of the picture: %.0f ms", value[float64](alice, fmt.Sprintf(`musterRoom.pictures.find((p) => p.key === %q).gap`, o)))
	})
	second := begin(t, "portal", "--listen", "127.0.0.1:0", "--url", c.url)
	t.Run("portal killed", func(t *testing.T) {
		url := strings.TrimSpace(second.await(`(?m)^http://\S+$`)[0])
		alice.await(`musterRoom.portals.length === 2`)
		bob.await(`musterRoom.portals.length === 2`)
		value[bool](alice, `(musterRoom.reset(), true)`)
		kill(t, c.workers["portal"].pid)
		for _, p := range []*tab{alice, bob} {
			p.await(fmt.Sprintf(`musterRoom.portal === %q`, url))
			p.await(`musterRoom.state.participants.length === 2 && musterRoom.state.participants.every((p) => p.attach === 2)`)
		}
		if value[string](alice, `musterRoom.you`) != a {
			t.Error("alice is somebody else now")
		}
		keepsMoving(alice, o)
		t.Logf("largest gap of the picture: %.0f ms", value[float64](alice, fmt.Sprintf(`musterRoom.pictures.find((p) => p.key === %q).gap`, o)))
	})
	bob.click("leave")
	alice.await(`musterRoom.state.participants.length === 1`)
}

// recorded checks what was recorded of two people who moved to another SFU: four
// files that go on after the move, and that others decode.
func recorded(t *testing.T, dir string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "recordings", upRoom, "*", "recording.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("recordings: %q, %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	var x roomrec.Index
	if err == nil {
		err = json.Unmarshal(text, &x)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !x.Ended || len(x.Files) != 4 {
		t.Errorf("%s", text)
	}
	for _, e := range x.Files {
		if !e.Whole || !e.Moved() {
			t.Errorf("%+v", e)
		}
		out, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames", "-of", "csv=p=0",
			filepath.Join(filepath.Dir(found[0]), e.File)).Output()
		codec, frames, _ := strings.Cut(strings.TrimSpace(string(out)), ",")
		if n, _ := strconv.Atoi(frames); err != nil || codec != e.Codec || n < 10 {
			t.Errorf("%s: %q, %v", e.File, out, err)
		}
	}
}

// streamTo has the page ask for a stream.
func streamTo(p *tab, url string) {
	p.t.Helper()
	if !value[bool](p, `document.getElementById("stream-to").open`) {
		p.click("stream")
	}
	value[bool](p, fmt.Sprintf(`(document.getElementById("stream-url").value = %q, true)`, url))
	p.click("stream-start")
}

// streamed checks that what was streamed has a picture of that size and sound, and ends.
func streamed(t *testing.T, list, size string) {
	t.Helper()
	text, err := os.ReadFile(list)
	if err != nil || !strings.HasSuffix(string(text), "#EXT-X-ENDLIST\n") {
		t.Errorf("%v\n%s", err, text)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", list).Output()
	if err != nil || !strings.Contains(string(out), "h264,"+size+"\n") || !strings.Contains(string(out), "aac") {
		t.Errorf("%s: %q, %v", list, out, err)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// noSecrets looks for tokens and for addresses of candidates in what was
// logged: what up prints is no log.
func noSecrets(t *testing.T, out string, links [2]string) {
	t.Helper()
	for _, link := range links {
		_, token, _ := strings.Cut(link, "#token=")
		for line := range strings.Lines(out) {
			if strings.Contains(line, "level=") && (strings.Contains(line, token) || strings.Contains(line, "candidate")) {
				t.Errorf("logged: %s", line)
			}
		}
	}
}
