package roombench

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/chromedp/chromedp"
)

// page is a room's page in headless Chromium. Another tab has a camera that is
// made up, since what package rtcload sends is not a picture.
type page struct {
	ctx   context.Context
	close func()
	// sender is the participant in the other tab. The others' pictures are not
	// measured: of what package rtcload sends Chromium shows a key frame now and
	// then, and nothing between.
	sender string
	// before is how many frames the sender's picture had at the last reset.
	before int
}

// picture is what the page says of the sender's picture.
type picture struct {
	Frames int     `json:"frames"`
	Gap    float64 `json:"gap"` // in milliseconds
}

func openPage(ctx context.Context, url string) (*page, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("no chromium: run scripts/install-tools: %w", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-fake-device-for-media-stream", "fps=20"), chromedp.Flag("autoplay-policy", "no-user-gesture-required"))
	allocator, stop := chromedp.NewExecAllocator(ctx, options...)
	sender, cancelSender := chromedp.NewContext(allocator)
	tab, cancel := chromedp.NewContext(sender)
	p := &page{ctx: tab, close: func() { cancel(); cancelSender(); stop() }}
	// A small picture: encoding a large one takes the processors from those who
	// are measured.
	const enter = `(() => {
		const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
		navigator.mediaDevices.getUserMedia = (wanted) => capture(wanted.video ? { ...wanted, video: { width: 320, height: 180 } } : wanted);
		document.getElementById("join").click();
		return true;
	})()`
	_, err = chromedp.Run(sender, chromedp.Navigate(url))
	for _, a := range []chromedp.Action[bool]{
		chromedp.Evaluate[bool](enter),
		chromedp.Poll[bool](`window.musterRoom && musterRoom.pictures.some((p) => p.key === musterRoom.you && p.frames > 0)`, chromedp.WithPollingInterval(pollTime)),
	} {
		if err == nil {
			_, err = chromedp.Run(sender, a)
		}
	}
	if err == nil {
		p.sender, err = chromedp.Run(sender, chromedp.Evaluate[string](`musterRoom.you`))
	}
	if err == nil {
		_, err = chromedp.Run(tab, chromedp.Navigate(url))
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("page: %w", err)
	}
	return p, nil
}

const (
	pollTime = 50 * time.Millisecond
	// movingFrames are as many as have to come of a picture that moves: a second
	// of them.
	movingFrames = 10
)

// join enters the room without a camera, and measures in the page how long the
// first picture of the other tab takes. again begins with a new page.
func (p *page) join(again bool) (time.Duration, error) {
	if again {
		if _, err := chromedp.Run(p.ctx, chromedp.Reload()); err != nil {
			return 0, err
		}
	}
	script := fmt.Sprintf(`(async () => {
		for (const id of ["with-camera", "with-mic"]) document.getElementById(id).checked = false;
		const from = performance.now();
		document.getElementById("join").click();
		while (!window.musterRoom || !musterRoom.pictures.some((p) => p.key === %q && p.frames > 0)) await new Promise((done) => setTimeout(done, 5));
		return performance.now() - from;
	})()`, p.sender)
	ctx, cancel := context.WithTimeout(p.ctx, moveTime)
	defer cancel()
	took, err := chromedp.Run(ctx, chromedp.Evaluate[float64](script, chromedp.EvalAwaitPromise))
	if err != nil {
		has, _ := eval[string](p, `JSON.stringify({ status: document.getElementById("status").textContent, problem: document.getElementById("problem").textContent,
			you: musterRoom.you, part: musterRoom.state.part, node: musterRoom.node, pictures: musterRoom.pictures })`)
		err = fmt.Errorf("no picture of %s: %w: the page has %s", p.sender, err, has)
	}
	return time.Duration(took * float64(time.Millisecond)), err
}

func eval[T any](p *page, script string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, moveTime)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script))
}

// look returns the sender's picture.
func (p *page) look() (picture, error) {
	return eval[picture](p, fmt.Sprintf(`musterRoom.pictures.find((p) => p.key === %q)`, p.sender))
}

// flows waits until the picture has gone on for a while.
func (p *page) flows(ctx context.Context) error {
	before, err := p.look()
	if err != nil {
		return err
	}
	return until(ctx, moveTime, func() bool {
		now, err := p.look()
		return err == nil && now.Frames > before.Frames+movingFrames
	})
}

func (p *page) reset() error {
	if _, err := eval[bool](p, `(musterRoom.reset(), true)`); err != nil {
		return err
	}
	now, err := p.look()
	p.before = now.Frames
	return err
}

// gap is the longest time between two frames of the picture since reset. It
// fails if the picture has not moved since, as then that time means nothing.
func (p *page) gap() (time.Duration, error) {
	now, err := p.look()
	if err == nil && now.Frames < p.before+movingFrames {
		err = fmt.Errorf("page: %d frames of the picture that is measured have come since the reset: it does not move", now.Frames-p.before)
	}
	return time.Duration(now.Gap * float64(time.Millisecond)), err
}
