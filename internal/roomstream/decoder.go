package roomstream

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/childproc"
	"github.com/muster-fleet/muster/internal/compose"
	"github.com/muster-fleet/muster/internal/roomsub"
)

const (
	// framesWaiting is how many frames may wait for a decoder that is slow.
	framesWaiting = 90
	// stuckTime is how long a decoder may give no picture of what it gets.
	stuckTime = 5 * time.Second
)

// form is what a decoder makes: pictures of a size. Whole shows all of a picture,
// with bars beside it; else what is too much is cut off.
type form struct {
	width, height int
	whole         bool
}

func (f form) filter() string {
	how, then := "increase", fmt.Sprintf("crop=%d:%d", f.width, f.height)
	if f.whole {
		how, then = "decrease", fmt.Sprintf("pad=%d:%d:-1:-1", f.width, f.height)
	}
	return fmt.Sprintf("scale=%d:%d:force_original_aspect_ratio=%s:flags=bilinear,%s,format=yuv420p", f.width, f.height, how, then)
}

// timed is a frame with its time since the first one, in milliseconds.
type timed struct {
	roomsub.Frame
	at int64
}

// decoder is an ffmpeg that decodes a track.
type decoder struct {
	form  form
	codec roomsub.Codec
	// private is what its input says of the codec.
	private []byte
	began   time.Time
	cmd     *exec.Cmd
	frames  chan timed
	stop    func()
	// over is closed when it has ended.
	over chan struct{}

	mu sync.Mutex
	// fed is when it got the first frame since its last picture; zero is none.
	fed time.Time
}

// startDecoder begins with a key frame. show hears of each picture.
func startDecoder(launch *childproc.Launcher, program string, c roomsub.Codec, first roomsub.Frame, f form, now time.Time, show func(*decoder, *compose.Picture)) (*decoder, error) {
	d := &decoder{
		form: f, codec: c, private: first.Private, began: now, frames: make(chan timed, framesWaiting), over: make(chan struct{}),
	}
	d.cmd = exec.Command(program, "-v", "quiet", "-nostdin", "-threads", "1", "-flags", "low_delay", "-probesize", "32", "-analyzeduration", "0",
		"-f", "matroska", "-i", "pipe:0", "-an", "-filter_threads", "1", "-vf", f.filter(), "-fps_mode", "passthrough", "-f", "rawvideo", "-flush_packets", "1", "pipe:1")
	in, err := d.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := launch.Start(d.cmd); err != nil {
		return nil, err
	}
	gone := make(chan struct{})
	d.stop = sync.OnceFunc(func() {
		close(gone)
		_ = d.cmd.Process.Kill() // it may have ended
	})
	var working sync.WaitGroup
	working.Go(func() { d.feed(in, first, gone) })
	working.Go(func() { d.read(out, show) })
	go func() {
		working.Wait()
		d.stop()
		_ = d.cmd.Wait() // it was killed, or is broken
		close(d.over)
	}()
	return d, nil
}

// feed writes what is to be decoded.
func (d *decoder) feed(in io.WriteCloser, first roomsub.Frame, gone <-chan struct{}) {
	w, err := roomsub.NewWriter(in, d.codec, first, d.began)
	if err != nil {
		d.stop()
		return
	}
	defer func() { _ = w.Close() }()
	for {
		select {
		case <-gone:
			return
		case f := <-d.frames:
			if w.Write(f.Frame, f.at) != nil {
				return
			}
		}
	}
}

// read reads pictures, until the end.
func (d *decoder) read(out io.Reader, show func(*decoder, *compose.Picture)) {
	defer d.stop()
	for {
		p := &compose.Picture{W: d.form.width, H: d.form.height, Pix: make([]byte, compose.Size(d.form.width, d.form.height))}
		if _, err := io.ReadFull(out, p.Pix); err != nil {
			return
		}
		d.mu.Lock()
		d.fed = time.Time{}
		d.mu.Unlock()
		show(d, p)
	}
}

// take has it decode a frame, and reports whether it can. One that is too slow, or
// gives nothing, is ended.
func (d *decoder) take(f roomsub.Frame, now time.Time) bool {
	if d.ended() {
		return false
	}
	d.mu.Lock()
	if d.fed.IsZero() {
		d.fed = now
	}
	stuck := now.Sub(d.fed) > stuckTime
	d.mu.Unlock()
	if stuck || len(d.frames) == cap(d.frames) {
		d.stop()
		return false
	}
	d.frames <- timed{f, now.Sub(d.began).Milliseconds()}
	return true
}

func (d *decoder) ended() bool {
	select {
	case <-d.over:
		return true
	default:
		return false
	}
}
