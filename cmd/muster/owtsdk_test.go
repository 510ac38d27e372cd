package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

// owtTab is a page with OWT's SDK.
type owtTab struct{ *tab }

// run has the page do something, and waits for it.
func (p owtTab) run(name string, args ...any) {
	p.t.Helper()
	p.begin(name, args...)
	p.await(fmt.Sprintf(`%q in owt.done`, name))
	if got := value[string](p.tab, fmt.Sprintf(`owt.done[%q]`, name)); got != "ok" {
		p.t.Fatalf("%s: %s: %s", p.name, name, got)
	}
}

func (p owtTab) begin(name string, args ...any) {
	p.t.Helper()
	call := fmt.Sprintf(`owt.run(%q`, name)
	for _, a := range args {
		call += fmt.Sprintf(`, %q`, a)
	}
	value[bool](p.tab, call+`)`)
}

// hears waits for something that the SDK says.
func (p owtTab) hears(what string) {
	p.t.Helper()
	p.await(fmt.Sprintf(`owt.has(%q)`, what))
}

// sees waits until the picture of a stream has gone on for a while.
func (p owtTab) sees(stream string) {
	p.t.Helper()
	frames := value[int](p.tab, fmt.Sprintf(`owt.pictures[%q].frames`, stream))
	p.await(fmt.Sprintf(`owt.pictures[%q].frames > %d && owt.pictures[%q].height > 0`, stream, frames+8, stream))
}

// publication publishes the camera and the microphone, and returns the stream.
func (p owtTab) publication() string {
	p.t.Helper()
	p.run("publish")
	return value[string](p.tab, `owt.publication.id`)
}

// join enters the room, and returns the participant.
func (p owtTab) join(token string) string {
	p.t.Helper()
	p.run("join", token)
	return value[string](p.tab, `owt.you`)
}

// OWT's browser SDK, unmodified, at a real cluster: two pages meet, the SFU is
// killed, they meet again, and one of them meets a page of ours.
func TestOWTSDK(t *testing.T) {
	c, links := beginRooms(t)
	files := http.NewServeMux()
	files.Handle("/", http.FileServer(http.Dir("../../internal/portal/owtportal/testdata")))
	files.Handle("/socket.io-client/", http.StripPrefix("/socket.io-client/", http.FileServer(http.Dir("../../internal/socketio/testdata"))))
	sdk := httptest.NewServer(files)
	t.Cleanup(sdk.Close)
	var tokens [2]string
	for i, link := range links {
		url, token, _ := strings.Cut(link, "#token=")
		portal, _, _ := strings.Cut(url, "/r/")
		var err error
		if tokens[i], err = roomtoken.OWT(token, portal); err != nil {
			t.Fatal(err)
		}
	}
	b := startBrowser(t)
	alice, bob := owtTab{b.open("alice", sdk.URL+"/page.html", 640, 480)}, owtTab{b.open("bob", sdk.URL+"/page.html", 640, 480)}
	for _, p := range []owtTab{alice, bob} {
		p.await(`!!window.owt`)
	}

	alice.join(tokens[0])
	a := alice.publication()
	alice.hears("streamadded " + a)
	bobID := bob.join(tokens[1])
	alice.hears("joined " + value[string](bob.tab, `owt.info.self.userId`))
	bob.run("subscribe", a)
	bob.sees(a)
	if got := value[int](bob.tab, fmt.Sprintf(`owt.pictures[%q].tracks`, a)); got != 2 {
		t.Errorf("the subscription has %d tracks, want sound and picture", got)
	}
	if got := value[string](bob.tab, fmt.Sprintf(`owt.remote(%q).attributes.purpose + " " + owt.remote(%q).settings.video[0].codec.name`, a, a)); got != "test vp8" {
		t.Errorf("what bob knows of the stream: %s", got)
	}
	o := bob.publication() // over the same connection
	alice.hears("streamadded " + o)
	alice.run("subscribe", o)
	alice.sees(o)

	alice.run("send", "hello, everybody")
	alice.hears("text hello, everybody to all")
	bob.hears("text hello, everybody to all")
	alice.run("send", "hello, bob", bobID)
	bob.hears("text hello, bob to me")

	bob.run("muteSubscription", a, "video")
	bob.hears("subscription mute video")
	bob.run("unmuteSubscription", a, "video")
	bob.sees(a)
	alice.run("mute", "video")
	alice.hears("publication mute video")
	alice.run("unmute", "video")
	alice.hears("publication unmute video")
	bob.sees(a)

	t.Run("socket broken", func(t *testing.T) {
		value[bool](bob.tab, `owt.break()`)
		alice.run("send", "while you were away")
		bob.hears("text while you were away to all")
		bob.run("send", "back again")
		alice.hears("text back again to all")
		bob.sees(a)
	})
	t.Run("stream ended", func(t *testing.T) {
		value[bool](bob.tab, `(owt.publication.stop(), true)`)
		alice.hears("stream " + o + " ended")
		alice.hears("subscription ended")
		o = bob.publication()
		alice.hears("streamadded " + o)
		alice.run("subscribe", o)
		alice.sees(o)
	})
	t.Run("SFU killed", func(t *testing.T) {
		for range *sfuKills {
			for _, p := range []owtTab{alice, bob} {
				value[bool](p.tab, `owt.forget()`)
			}
			killed := time.Now()
			kill(t, nodePID(t, c.url, c.workers[room.PurposeSFU].id))
			for _, p := range []owtTab{alice, bob} {
				p.hears("publication ended")
				p.hears("subscription ended")
				t.Logf("%s was told after %d ms", p.name, int64(value[float64](p.tab, `owt.when("publication error")`))-killed.UnixMilli())
			}
			for i, p := range []owtTab{alice, bob} {
				p.run("leave")
				p.join(tokens[i])
				p.begin("publish")
			}
			for _, p := range []owtTab{alice, bob} {
				p.await(`owt.done.publish === "ok"`)
			}
			a, o = value[string](alice.tab, `owt.publication.id`), value[string](bob.tab, `owt.publication.id`)
			for p, id := range map[owtTab]string{alice: o, bob: a} {
				p.await(fmt.Sprintf(`!!owt.remote(%q)`, id))
				p.run("subscribe", id)
				p.await(fmt.Sprintf(`owt.pictures[%q].frames > 0`, id))
				t.Logf("%s had the first picture after %d ms", p.name, time.Since(killed).Milliseconds())
			}
			alice.sees(o)
			bob.sees(a)
		}
	})
	t.Run("a page of Muster's", func(t *testing.T) {
		bob.run("leave")
		alice.await(fmt.Sprintf(`!owt.remote(%q)`, o))
		page := b.open("page", links[1], 390, 760)
		id := join(page)
		page.await(seen(value[string](alice.tab, `owt.you`), 8))
		alice.await(fmt.Sprintf(`owt.of(%q).length === 1 && owt.remote(owt.of(%q)[0]).settings.video.length === 1`, id, id))
		theirs := value[string](alice.tab, fmt.Sprintf(`owt.of(%q)[0]`, id))
		alice.run("subscribe", theirs)
		alice.sees(theirs)
	})
	noSecrets(t, c.out.String(), links)
}
