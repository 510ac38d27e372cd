package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// browser is a Chromium with a camera and a microphone that are made up.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func startBrowser(t *testing.T, flags ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium: run scripts/install-tools")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("use-fake-device-for-media-stream", "fps=10"), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-audio-capture", speech(t)),
		chromedp.Flag("auto-accept-this-tab-capture", true), chromedp.Flag("auto-select-desktop-capture-source", "Entire screen"),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"))
	options = append(options, flags...)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	// The first tab of a context owns the browser; it stays empty.
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &browser{t, ctx}
}

// speech is a file of sound that is like speech to what listens: tones that
// come and go three times a second.
func speech(t *testing.T) string {
	t.Helper()
	const rate, seconds = 48000, 4
	var samples []int16
	for i := range rate * seconds {
		s := float64(i) / rate
		pitch := 2 * math.Pi * (250*s + 12*math.Sin(2*math.Pi*3*s))
		voice := math.Sin(pitch) + 0.5*math.Sin(2*pitch) + 0.3*math.Sin(5*pitch)
		samples = append(samples, int16(9000*voice*math.Abs(math.Sin(math.Pi*3*s))))
	}
	var b bytes.Buffer
	size := uint32(2 * len(samples))
	b.WriteString("RIFF")
	for _, field := range []any{
		36 + size, []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate), uint16(2), uint16(16), []byte("data"), size, samples,
	} {
		if err := binary.Write(&b, binary.LittleEndian, field); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "speech.wav")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tab is a page of the browser.
type tab struct {
	t    *testing.T
	name string
	ctx  context.Context
}

// open opens a tab with a page in a window of that size.
func (b *browser) open(name, url string, width, height int64) *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	p := &tab{b.t, name, ctx}
	if err := chromedp.Do(ctx); err != nil { // the tab lasts as long as this context
		b.t.Fatal(err)
	}
	p.do(chromedp.EmulateViewport(width, height))
	p.do(chromedp.Navigate(url))
	return p
}

func (p *tab) do(a chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, a); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// value evaluates an expression in the page.
func value[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %s: %v", p.name, expression, err)
	}
	return v
}

// await waits until an expression is true in the page.
func (p *tab) await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(pollEvery))); err != nil {
		said, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`JSON.stringify([musterRoom.state, musterRoom.pictures, document.getElementById("status").textContent])`))
		p.t.Fatalf("%s: not true: %s: %v\n%s", p.name, expression, err, said)
	}
}

// click presses a button.
func (p *tab) click(id string) {
	p.t.Helper()
	value[bool](p, `(document.getElementById("`+id+`").click(), true)`)
}

// shot keeps a picture of the page, where somebody wants to look at it.
func (p *tab) shot(name string) {
	dir := os.Getenv("MUSTER_TEST_SHOTS")
	if dir == "" {
		return
	}
	image, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), image, 0o600)
	}
	if err != nil {
		p.t.Error(err)
	}
}
