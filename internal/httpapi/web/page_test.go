package web_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/httpapi"
)

// Every view loads without an error, shows what there is, and has nothing that axe-core
// calls serious; wide and narrow, light and dark.
func TestViews(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	ids := c.fleet(240)
	b := openPage(t, c.server.URL())
	b.shows("in-service")
	b.await(`document.querySelectorAll("a.cell").length === 240`)
	for _, task := range []string{"lecture-1", "lecture-2", "standup"} {
		_, err := c.client.Schedule(c.ctx, client.Request{Purpose: "webrtc", Task: task, Region: "eu-west"})
		must(t, err)
	}
	_, err := c.client.Schedule(c.ctx, client.Request{Purpose: "video", Task: "mix-9", Preference: map[string]any{"labels": map[string]string{"gpu": "h100"}}})
	if err == nil {
		t.Fatal("mix-9 is placed")
	}
	b.shows("mix-9")
	b.screenshot("fleet")
	b.axe("fleet")
	b.click("Show as table")
	b.shows(ids[0])
	b.screenshot("fleet-table")
	b.axe("table")
	b.click("Show as map")
	for _, view := range []struct{ hash, text, name string }{
		{"#/worker/" + ids[7], "Load, last hour", "worker"},
		{"#/task/webrtc/lecture-1", "The best of them", "task"},
		{"#/task/video/mix-9", "lack a wanted label", "why"},
		{"#/tasks", "room-", "tasks"},
		{"#/activity", "placed and", "activity"},
		{"#/managers", "Configuration in force", "managers"},
		{"#/drains", "Drains", "drains"},
		{"#/audit", "Audit", "audit"},
	} {
		b.goTo(view.hash)
		b.shows(view.text)
		b.screenshot(view.name)
		b.axe(view.name)
	}
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	for _, view := range []struct{ hash, text, name string }{
		{"#/fleet", "Just happened", "phone-fleet"}, {"#/worker/" + ids[7], "Load, last hour", "phone-worker"},
		{"#/task/video/mix-9", "lack a wanted label", "phone-why"}, {"#/tasks", "room-", "phone-tasks"}, {"#/managers", "Configuration in force", "phone-managers"},
	} {
		b.goTo(view.hash)
		b.shows(view.text)
		b.screenshot(view.name)
		if wide := run[int](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s is %d pixels wider than a phone", view.name, wide)
		}
		b.axe(view.name)
	}
	run[bool](b, `(localStorage.setItem("muster-theme", "dark"), location.hash = "#/fleet", true)`)
	b.do(chromedp.Reload())
	b.await(`document.documentElement.dataset.theme === "dark" && document.querySelectorAll("a.cell").length === 240`)
	b.do(chromedp.EmulateViewport(1440, 900))
	b.shows("lecture-1")
	b.screenshot("fleet-dark")
	b.axe("dark")
	b.noErrors("/nodes") // these workers are only names, and answer nothing
}

// A thousand workers: the page shows all of them, stays fluid while they report, and has
// no more rows of its table in the document than can be seen.
func TestAThousandWorkers(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	ids := c.fleet(1000)
	b := openPage(t, c.server.URL())
	b.await(`document.querySelectorAll("a.cell").length === 1000`)
	// Something changes a thousand times a second. Each paint asks for a frame.
	run[bool](b, `(async () => {
		const frame = window.requestAnimationFrame;
		const times = [];
		window.requestAnimationFrame = (f) => { times.push(performance.now()); window.took = times[20] - times[0]; return frame(f); };
		const { changed } = await import("./js/store.js");
		setInterval(changed, 1);
		return true;
	})()`)
	for round := range 10 {
		for i, id := range ids {
			must(t, c.conn.Cast(c.ctx, client.DefaultCluster, "reportLoad", id, float64((i+round*9)%80)/100))
		}
		c.call("getClusterID")
	}
	c.call("reportLoad", ids[3], 0.875) // of no other worker
	b.await(`[...document.querySelectorAll("a.cell")].some((e) => e.title.includes("88 % load"))`)
	b.await(`window.took > 0`)
	if took := run[float64](b, `window.took`); took < 1900 {
		t.Errorf("20 paints in %.0f ms, want at most ten a second", took)
	}
	b.click("Show as table")
	b.await(`document.querySelector("[role=table]").getAttribute("aria-rowcount") === "1001"`)
	if rows := run[int](b, `document.querySelectorAll(".vrow").length`); rows < 10 || rows > 80 {
		t.Errorf("%d rows of 1,000 are in the document", rows)
	}
	run[bool](b, `(document.querySelector(".vbody").scrollTop = 1e9, true)`)
	b.shows("webrtc-")
	b.noErrors()
}

// A worker is drained by a click: the page shows the drain, and the manager has it.
func TestDrainByClick(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	ids := c.fleet(40)
	b := openPage(t, c.server.URL()+"/#/worker/"+ids[13])
	b.click("Drain")
	b.shows("It gets no new tasks")
	b.axe("the question")
	run[bool](b, `(document.querySelector("dialog select").value = "hand-back", document.querySelector("dialog input[type=number]").value = "30", true)`)
	b.screenshot("drain-question")
	b.click("Drain")
	b.shows("Call the drain off")
	drains, err := c.client.Drains(c.ctx)
	must(t, err)
	if len(drains) != 1 || drains[0].Selector.Worker != ids[13] || drains[0].Policy != muster.DrainHandBack || drains[0].Deadline == 0 || drains[0].By.Name != "http" {
		t.Errorf("the manager has %+v", drains)
	}
	b.goTo("#/drains")
	b.shows("hand-back")
	b.screenshot("drains")
	b.axe("drains")
	b.goTo("#/audit")
	b.shows("drain")
	b.screenshot("audit")
	b.goTo("#/drains")
	b.click("Call off")
	b.shows("called-off")
	b.noErrors("/nodes")
}

// The map shows what its filter selects, also as the workers change.
func TestFilterFollowsTheWorkers(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	ids := c.fleet(40)
	b := openPage(t, c.server.URL())
	b.await(`document.querySelectorAll("a.cell").length === 40`)
	run[bool](b, `(() => { const s = document.querySelector("main select"); s.value = "draining"; return s.dispatchEvent(new Event("change")); })()`)
	b.shows("No worker matches.")
	_, err := c.client.Drain(c.ctx, muster.DrainOrder{Selector: muster.Selector{Worker: ids[13]}})
	must(t, err)
	b.await(`[...document.querySelectorAll("a.cell")].map((e) => e.title).join().startsWith(` + quoted(ids[13]+":") + `)`)
	_, err = c.client.Undrain(c.ctx, client.Undrain{Selector: muster.Selector{Worker: ids[13]}})
	must(t, err)
	b.await(`document.querySelectorAll("a.cell").length === 0`)
	b.noErrors()
}

// The log of an agent's node is followed as it grows.
func TestLogIsFollowed(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	path, err := program()
	must(t, err)
	more := filepath.Join(t.TempDir(), "more")
	agent := exec.Command(path, "agent", "--purpose", "logs", "--id", "logs-1", "--load", "memory", "--prerun", "1", "--dir", t.TempDir(), "--url", c.url,
		"--", "sh", "-c", `echo begun; until [ -e "$0" ]; do sleep 0.1; done; echo grown; exec sleep 3600`, more)
	var out output
	agent.Stdout, agent.Stderr = &out, &out
	must(t, agent.Start())
	t.Cleanup(func() {
		_ = agent.Process.Signal(syscall.SIGINT)
		_ = agent.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	b := openPage(t, c.server.URL())
	b.await(`document.querySelectorAll("a.cell").length === 1`)
	b.goTo("#/worker/logs-1")
	b.click("Follow log")
	b.shows("begun")
	must(t, os.WriteFile(more, nil, 0o600))
	b.shows("grown")
	b.screenshot("log")
	b.axe("a log")
	b.noErrors()
}

// With tokens the page asks for one, and shows what its role may do.
func TestSignIn(t *testing.T) {
	token, line, err := httpapi.NewToken("eve", httpapi.Viewer)
	must(t, err)
	path := filepath.Join(t.TempDir(), "tokens")
	must(t, os.WriteFile(path, []byte(line), 0o600))
	auth, err := httpapi.OpenAuth(path)
	must(t, err)
	c := startCluster(t, httpapi.Options{Auth: auth})
	ids := c.fleet(20)
	b := openPage(t, c.server.URL()+"/#/worker/"+ids[3])
	b.shows("Sign in")
	b.axe("sign in")
	run[bool](b, `(document.querySelector("dialog input").value = `+quoted(token)+`, true)`)
	b.click("Sign in")
	b.shows("live")
	b.shows("Address")
	if run[bool](b, `[...document.querySelectorAll("button")].some((e) => e.textContent === "Drain")`) {
		t.Error("a viewer may drain")
	}
	b.noErrors("/nodes", "401")
}
