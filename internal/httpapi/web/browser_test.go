package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience bounds what a test waits for. A healthy run never comes near it.
const patience = 2 * time.Minute

// browser is a headless Chromium of this machine, and a page in it.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	errors []string // what the console said that is wrong
}

// openPage opens a page. The test fails at its end if the console had an error.
func openPage(t *testing.T, url string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: install it with scripts/install-tools", err)
	}
	limited, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	allocated, cancel := chromedp.NewExecAllocator(limited, chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU,
		chromedp.Flag("hide-scrollbars", true), chromedp.WindowSize(1440, 900))
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	b.do(chromedp.EmulateViewport(1440, 900))
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() || strings.Contains(strings.ToLower(string(m.Type)), "error") {
				b.mu.Lock()
				b.errors = append(b.errors, m.String()+" "+m.URL)
				b.mu.Unlock()
			}
		}
	}()
	b.do(chromedp.Navigate(url))
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// noErrors fails the test for each error that the console had, save those that have
// one of these texts.
func (b *browser) noErrors(save ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, text := range b.errors {
		for _, meant := range save {
			if strings.Contains(text, meant) {
				continue next
			}
		}
		b.t.Errorf("the console says: %s", text)
	}
}

// await waits until an expression of the page is true.
func (b *browser) await(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(0))); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText.slice(0, 3000)`))
		b.t.Fatalf("in vain: %s: %v; the page shows:\n%s", expression, err, text)
	}
}

// shows waits until the page has a text.
func (b *browser) shows(text string) {
	b.t.Helper()
	b.await(fmt.Sprintf(`document.body.innerText.includes(%s)`, quoted(text)))
}

func quoted(v any) string {
	raw, _ := json.Marshal(v) // strings can be written
	return string(raw)
}

// run evaluates an expression.
func run[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// click clicks the button or link with this text, by the mouse.
func (b *browser) click(text string) {
	b.t.Helper()
	b.await(fmt.Sprintf(`[...document.querySelectorAll("dialog[open] button, dialog[open] a, main button, main a, nav a")].some((e) => e.textContent.trim() === %s)`, quoted(text)))
	run[bool](b, fmt.Sprintf(`(() => {
		document.querySelectorAll("[data-clicked]").forEach((e) => e.removeAttribute("data-clicked"));
		const scope = document.querySelector("dialog[open]") ?? document;
		[...scope.querySelectorAll("button, a")].find((e) => e.textContent.trim() === %s).setAttribute("data-clicked", "");
		return true;
	})()`, quoted(text)))
	b.do(chromedp.Click(chromedp.CSS(`[data-clicked]`)))
}

// goTo shows a view.
func (b *browser) goTo(hash string) {
	b.t.Helper()
	run[bool](b, fmt.Sprintf(`(location.hash = %s, true)`, quoted(hash)))
}

// screenshot keeps a picture in the directory of MUSTER_SCREENSHOTS, or else in the
// system's temporary directory.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv("MUSTER_SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "muster-screenshots")
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}

// axe fails the test for what axe-core finds that is serious or critical.
func (b *browser) axe(what string) {
	b.t.Helper()
	script, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		b.t.Fatal(err)
	}
	// By the debugger, since the page's policy lets no foreign script in.
	run[bool](b, string(script)+"; true")
	found := run[string](b, `axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations
		.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.failureSummary ?? "")).join(" | "))))`)
	if found != "[]" {
		b.t.Errorf("%s: axe-core finds %s", what, found)
	}
}
