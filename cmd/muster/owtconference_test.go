package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/owttest"
)

// OWT's own conference and portal, unmodified, on RabbitMQ, with Muster's manager
// and our node for webrtc; OWT's browser SDK in two pages. The media that one
// sends arrives at the other, all calls are made, and the node is killed.
func TestOWTConference(t *testing.T) {
	source := os.Getenv("MUSTER_OWT_SERVER")
	if source == "" {
		t.Skip("OWT's sources are not here: make owt-conference")
	}
	queue := rabbit.Broker(t).Addr()
	host, port, err := net.SplitHostPort(queue)
	if err != nil {
		t.Fatal(err)
	}
	const cluster = "owt-conference"
	dir := owtDir(t, map[string]string{
		"cluster_manager.toml": fmt.Sprintf("[rabbit]\nhost = %q\nport = %s\n[manager]\nname = %q\ninitial_time = 10\n", host, port, cluster),
	})
	file := filepath.Join(dir, "cluster_manager.toml")
	begin(t, "manager", "-c", file).await(`msg="manager takes requests"`)
	url := "amqp://" + queue
	agent := begin(t, "agent", "--purpose", "webrtc", "--max-nodes", "1", "--reuse", "--load", "memory", "--prerun", "1", "--notify", "--dir", t.TempDir(),
		"--url", url, "--cluster", cluster, "--", program, "sfu", "--listen", "127.0.0.1:0")
	id := agent.await(`(?m)^(webrtc-\S+)$`)[1]
	owt := owttest.Start(t, owttest.Options{Source: source, Queue: queue, Cluster: cluster})

	files := http.NewServeMux()
	files.Handle("/", http.FileServer(http.Dir("../../internal/portal/owtportal/testdata")))
	files.Handle("/socket.io-client/", http.StripPrefix("/socket.io-client/", http.FileServer(http.Dir("../../internal/socketio/testdata"))))
	sdk := httptest.NewServer(files)
	t.Cleanup(sdk.Close)
	b := startBrowser(t)
	alice, bob := owtTab{b.open("alice", sdk.URL+"/page.html", 640, 480)}, owtTab{b.open("bob", sdk.URL+"/page.html", 640, 480)}
	for _, p := range []owtTab{alice, bob} {
		p.await(`!!window.owt`)
	}

	alice.join(owt.Token("alice"))
	a := alice.publication()
	alice.hears("streamadded " + a)
	bob.join(owt.Token("bob"))
	alice.hears("joined bob")
	bob.run("subscribe", a)
	bob.sees(a)
	if got := value[int](bob.tab, fmt.Sprintf(`owt.pictures[%q].tracks`, a)); got != 2 {
		t.Errorf("the subscription has %d tracks, want sound and picture", got)
	}
	// onMediaUpdate reached the SDK.
	bob.await(fmt.Sprintf(`owt.remote(%q).settings.video[0].resolution.width === 640`, a))
	o := bob.publication() // over the same connection
	alice.hears("streamadded " + o)
	alice.run("subscribe", o)
	alice.sees(o)

	bob.run("muteSubscription", a, "video")
	bob.run("unmuteSubscription", a, "video")
	bob.sees(a)
	alice.run("mute", "video")
	alice.hears("publication mute video")
	alice.run("unmute", "video")
	alice.hears("publication unmute video")
	bob.sees(a)
	value[bool](bob.tab, fmt.Sprintf(`(owt.subscriptions[%q].stop(), true)`, a))
	bob.run("subscribe", a)
	bob.sees(a)
	value[bool](bob.tab, `(owt.publication.stop(), true)`)
	alice.hears("stream " + o + " ended")
	o = bob.publication()
	alice.hears("streamadded " + o)
	alice.run("subscribe", o)
	alice.sees(o)

	t.Run("node killed", func(t *testing.T) {
		for _, p := range []owtTab{alice, bob} {
			value[bool](p.tab, `owt.forget()`)
		}
		killed := time.Now()
		kill(t, nodePID(t, url, id))
		for _, p := range []owtTab{alice, bob} {
			p.hears("publication ended")
			p.hears("subscription ended")
			t.Logf("%s heard of it after %d ms", p.name, int64(value[float64](p.tab, `owt.when("publication ended")`))-killed.UnixMilli())
		}
		// OWT's conference keeps the dead transport: only who joins again gets another.
		for _, p := range []owtTab{alice, bob} {
			p.run("leave")
			p.join(owt.Token(p.name))
		}
		a := alice.publication()
		bob.await(fmt.Sprintf(`!!owt.remote(%q)`, a))
		bob.run("subscribe", a)
		bob.sees(a)
	})
	for _, p := range []owtTab{alice, bob} {
		p.run("leave")
	}
	eventually(t, "tasks of webrtc still run", func() bool {
		return len(decoded[[]client.Task](t, "tasks", "webrtc", "--state", "running", "-c", file)) == 0
	})
}
