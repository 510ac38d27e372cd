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
	p := &page{tab, func() { cancel(); cancelSender(); stop() }}
	const enter = `(document.getElementById("join").click(), true)`
	for _, open := range []struct {
		ctx     context.Context
		actions []chromedp.Action[bool]
	}{
		{sender, []chromedp.Action[bool]{
			chromedp.Evaluate[bool](enter),
			chromedp.Poll[bool](`window.musterRoom && musterRoom.pictures.some((p) => p.key === musterRoom.you && p.frames > 0)`, chromedp.WithPollingInterval(pollTime)),
		}},
		{tab, nil},
	} {
		_, err = chromedp.Run(open.ctx, chromedp.Navigate(url))
		for _, a := range open.actions {
			if err == nil {
				_, err = chromedp.Run(open.ctx, a)
			}
		}
		if err != nil {
			p.close()
			return nil, fmt.Errorf("page: %w", err)
		}
	}
	return p, nil
}

const pollTime = 50 * time.Millisecond

// join enters the room without a camera, and measures in the page how long the
// first picture of the other tab takes.
func (p *page) join() (time.Duration, error) {
	const script = `(async () => {
		for (const id of ["with-camera", "with-mic"]) document.getElementById(id).checked = false;
		const from = performance.now();
		document.getElementById("join").click();
		while (!window.musterRoom || !musterRoom.pictures.some((p) => p.height > 0 && p.frames > 0)) await new Promise((done) => setTimeout(done, 5));
		return performance.now() - from;
	})()`
	ctx, cancel := context.WithTimeout(p.ctx, moveTime)
	defer cancel()
	took, err := chromedp.Run(ctx, chromedp.Evaluate[float64](script, chromedp.EvalAwaitPromise))
	return time.Duration(took * float64(time.Millisecond)), err
}

func eval[T any](p *page, script string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, moveTime)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script))
}

// flows waits until the picture has gone on for a while.
func (p *page) flows(ctx context.Context) error {
	const frames = `musterRoom.pictures.reduce((sum, p) => sum + p.frames, 0)`
	before, err := eval[int](p, frames)
	if err != nil {
		return err
	}
	return until(ctx, moveTime, func() bool {
		now, err := eval[int](p, frames)
		return err == nil && now > before+afterFrames/2
	})
}

func (p *page) reset() error {
	_, err := eval[bool](p, `(musterRoom.reset(), true)`)
	return err
}

// gap is the longest time between two frames of a picture since reset.
func (p *page) gap() (time.Duration, error) {
	ms, err := eval[float64](p, `Math.max(...musterRoom.pictures.map((p) => p.gap))`)
	return time.Duration(ms * float64(time.Millisecond)), err
}
