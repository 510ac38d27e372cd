package main

import (
	"fmt"
	"testing"

	"github.com/muster-fleet/muster/internal/room"
)

// beginSFU starts an agent with an SFU that one person with a camera fills.
func beginSFU(t *testing.T, c *cluster, id string) {
	t.Helper()
	begin(t, append([]string{"agent", "--purpose", room.PurposeSFU, "--id", id, "--load", "memory", "--max-load", "1", "--max-nodes", "1", "--label", room.LabelSFU + "=" + id,
		"--per", "room", "--reuse", "--prerun", "1", "--notify", "--url", c.url, "--dir", t.TempDir()}, "--", program, "sfu", "--max-packets", "50")...)
	free(t, c.url, id)
}

// Two browsers in a room that has outgrown its first SFU see and hear each other over
// the link, and are recorded. Each SFU is killed in turn, and one is drained: only its
// own people are moved.
func TestTwoBrowsersInTwoParts(t *testing.T) {
	c, links := beginRooms(t)
	beginSFU(t, c, "webrtc-a")
	beginSFU(t, c, "webrtc-b")
	done(t, "drain", c.workers[room.PurposeSFU].id, "--url", c.url)
	b := startBrowser(t)
	alice, bob := b.open("alice", links[0], 1100, 700), b.open("bob", links[1], 900, 700)
	a := join(alice)
	alice.await(`musterRoom.state.part.full`)
	o := join(bob)
	alice.await(seen(o, 10))
	bob.await(seen(a, 10))
	alice.await(fmt.Sprintf(`musterRoom.speaking.includes(%q)`, o)) // its microphone beeps
	worker := func(p *tab) string { return value[string](p, `musterRoom.state.part.worker`) }
	if worker(alice) == worker(bob) {
		t.Fatalf("both are at %s", worker(alice))
	}
	contains(t, done(t, "room", upRoom, "--url", c.url), "part 1 on "+worker(alice), "part 2 on "+worker(bob), "link from "+worker(bob), "link from "+worker(alice), "connected, 2 tracks")
	contains(t, done(t, "why", "participant", upRoom, "bob", "--url", c.url), "in part 2 of the room, on "+worker(bob), "part 1, on "+worker(alice)+"_", "is full", "camera", "alice")

	recordings := t.TempDir()
	begin(t, "agent", "--purpose", room.PurposeRecording, "--id", "recorder", "--root", recordings, "--load", "memory", "--max-load", "1", "--url", c.url, "--dir", t.TempDir())
	free(t, c.url, "recorder")
	bob.click("record")
	alice.await(`Boolean(musterRoom.state.recording.node)`)
	keepsMoving(alice, o)

	for _, p := range []struct {
		dies, stays *tab
		sees, seen  string
	}{{alice, bob, o, a}, {bob, alice, a, o}} {
		for _, tab := range []*tab{alice, bob} {
			value[bool](tab, `(musterRoom.reset(), true)`)
		}
		moves := value[int](p.stays, `musterRoom.moves`)
		before := value[int](p.dies, `musterRoom.moves`)
		id := worker(p.dies)
		kill(t, nodePID(t, c.url, id))
		p.dies.await(fmt.Sprintf(`musterRoom.moves === %d`, before+1))
		keepsMoving(alice, o)
		keepsMoving(bob, a)
		if now := value[int](p.stays, `musterRoom.moves`); now != moves {
			t.Errorf("%s killed: the other one was moved too", id)
		}
		t.Logf("%s killed: largest gap for its own %.0f ms, for the other %.0f ms", id, gapOf(p.dies, p.sees), gapOf(p.stays, p.seen))
	}

	done(t, "rooms", "record", upRoom, "--stop", "--url", c.url)
	alice.await(`!musterRoom.state.recording.on && !musterRoom.state.recording.node`)
	recorded(t, recordings)

	beginSFU(t, c, "webrtc-c")
	value[bool](alice, `(musterRoom.reset(), true)`)
	value[bool](bob, `(musterRoom.reset(), true)`)
	moves := value[int](alice, `musterRoom.moves`)
	done(t, "drain", worker(bob), "--url", c.url)
	bob.await(`musterRoom.state.part.worker === "webrtc-c" && !musterRoom.state.part.drained`)
	keepsMoving(alice, o)
	keepsMoving(bob, a)
	if now := value[int](alice, `musterRoom.moves`); now != moves {
		t.Error("drained: the other one was moved too")
	}
	t.Logf("drained: largest gap %.0f ms and %.0f ms", gapOf(bob, a), gapOf(alice, o))
}

// gapOf is the largest gap of a picture since reset, in milliseconds.
func gapOf(p *tab, key string) float64 {
	return value[float64](p, fmt.Sprintf(`musterRoom.pictures.find((p) => p.key === %q).gap`, key))
}
