package media

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/childproc"
)

// output runs a program that ends by itself, and returns what it wrote. Its
// last lines come with the error.
func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	r := run{program: program, args: args, grace: time.Nanosecond, stdout: func(r io.Reader) { _, _ = io.Copy(&out, r) }}
	err := r.do(ctx)
	return out.Bytes(), err
}

// ffmpegArgs are in front of all others: no questions, few words, progress on
// stdout.
var ffmpegArgs = []string{"-hide_banner", "-nostdin", "-y", "-loglevel", "level+verbose", "-nostats", "-progress", "pipe:1", "-stats_period", "0.5"}

// ffmpeg runs ffmpeg until it ends or ctx is done; then it is asked to finish
// its files. extra read its descriptors from 3 on. The journal is there also
// with an error.
func (env *environment) ffmpeg(ctx context.Context, args []string, tell func(Stats), extra ...func(io.Reader)) (*journal, error) {
	return env.checked(ctx, args, nil, tell, extra...)
}

// checked is ffmpeg with a check of what it finds in its first input, before anything
// is written: an error of that ends it, and is returned.
func (env *environment) checked(ctx context.Context, args []string, check func(*Probe) error, tell func(Stats), extra ...func(io.Reader)) (*journal, error) {
	env.opts.Logger.Debug("ffmpeg starts", "args", redact(strings.Join(args, " ")))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	said := &journal{}
	var wrong error // written by the reader of stderr, which ends before do does
	if check != nil {
		done := make(chan struct{})
		end := sync.OnceFunc(func() { close(done) })
		said.found = func(info *Probe) {
			if wrong = check(info); wrong != nil {
				cancel()
			}
			end()
		}
		// What is said on other descriptors of what was written comes after the check,
		// or where nothing was found at the end of that descriptor.
		for i, read := range extra {
			extra[i] = func(in io.Reader) {
				text := bufio.NewReader(in)
				if _, err := text.Peek(1); err == nil {
					<-done
				}
				read(text)
			}
		}
	}
	r := run{
		program: env.tool.FFmpeg,
		args:    append(ffmpegArgs[:len(ffmpegArgs):len(ffmpegArgs)], args...),
		grace:   env.opts.Grace,
		stdout:  func(r io.Reader) { readProgress(r, tell) },
		extra:   extra,
		said:    said,
	}
	err := r.do(ctx)
	if wrong != nil {
		return said, wrong
	}
	if early := said.endedEarly(); early != "" && errors.As(err, new(*ToolError)) {
		err = fmt.Errorf("input: the input ends early (%s): %w", early, err)
	}
	return said, err
}

// run is one run of a program.
type run struct {
	program string
	args    []string
	// grace is how long it may take to end once ctx is done.
	grace  time.Duration
	stdout func(io.Reader)
	// extra read the descriptors 3 and on.
	extra []func(io.Reader)

	// said reads stderr; nil keeps the last lines.
	said    words
	cmd     *exec.Cmd
	readers sync.WaitGroup
}

// words keep of stderr what explains a failure.
type words interface {
	io.Writer
	last() []string
}

// do starts the program and waits until it, and all that reads of it, has
// ended.
func (r *run) do(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.cmd = exec.Command(r.program, r.args...)
	if r.said == nil {
		r.said = &tail{}
	}
	r.cmd.Stderr = r.said
	theirs, err := r.pipes()
	if err != nil {
		r.readers.Wait()
		return fmt.Errorf("media: %w", err)
	}
	started, ended := make(chan error, 1), make(chan error, 1)
	go r.start(theirs, started, ended)
	err = <-started
	if err == nil {
		err = r.wait(ctx, ended)
	}
	r.readers.Wait()
	return err
}

// start runs the program, and reports its start and its end. The program ends
// with the node, even where that is killed, and stays in the group of the node,
// which the agent ends as a whole.
func (r *run) start(theirs []*os.File, started, ended chan<- error) {
	launcher := childproc.NewLauncher()
	defer launcher.Close()
	err := launcher.Start(r.cmd)
	for _, f := range theirs {
		_ = f.Close()
	}
	if err != nil {
		started <- fmt.Errorf("media: %w", err)
		return
	}
	started <- nil
	ended <- r.cmd.Wait()
}

// pipes starts what reads of the program, and returns the ends that are the
// program's.
func (r *run) pipes() ([]*os.File, error) {
	var theirs []*os.File
	for i, read := range append([]func(io.Reader){r.stdout}, r.extra...) {
		ours, its, err := os.Pipe()
		if err != nil {
			closeAll(theirs)
			return nil, err
		}
		theirs = append(theirs, its)
		if i == 0 {
			r.cmd.Stdout = its
		} else {
			r.cmd.ExtraFiles = append(r.cmd.ExtraFiles, its)
		}
		r.readers.Go(func() {
			defer ours.Close()
			read(ours)
		})
	}
	return theirs, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// wait waits for the end of the program; once ctx is done it asks it to end,
// and kills it at the end of the grace period.
func (r *run) wait(ctx context.Context, ended <-chan error) error {
	select {
	case err := <-ended:
		return r.failure(err)
	case <-ctx.Done():
	}
	if r.cmd.Process.Signal(os.Interrupt) != nil {
		_ = r.cmd.Process.Kill() // no other signals on this system
	}
	late := time.AfterFunc(r.grace, func() { _ = r.cmd.Process.Kill() })
	err := <-ended
	if !late.Stop() && err != nil {
		return fmt.Errorf("%w; it did not finish within %v and was killed", ctx.Err(), r.grace)
	}
	return fmt.Errorf("%w: %w", errFinished, ctx.Err())
}

// errFinished is for a program that ended by itself when asked to: what it wrote
// is whole.
var errFinished = errors.New("asked to finish")

// failure adds what the program said last.
func (r *run) failure(err error) error {
	if err == nil {
		return nil
	}
	return &ToolError{Program: r.cmd.Args[0], Err: err, Lines: r.said.last()}
}

// ToolError is an ffmpeg or ffprobe that ended with an error by itself.
type ToolError struct {
	Program string
	// Err says how it ended, as "exit status 1" or "signal: killed".
	Err error
	// Lines are the last that it wrote to stderr, without passwords.
	Lines []string
}

func (e *ToolError) Error() string {
	text := fmt.Sprintf("%s: %v", e.Program, e.Err)
	if len(e.Lines) == 0 {
		return text
	}
	return text + ": " + strings.Join(e.Lines, "; ")
}

func (e *ToolError) Unwrap() error { return e.Err }

// tailLines and tailBytes bound what is kept of a program's last words.
const (
	tailLines = 8
	tailBytes = 300
)

// tail keeps the last lines that are written to it.
type tail struct {
	mu      sync.Mutex
	lines   []string
	current []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = splitLines(t.current, p, tailBytes, t.add)
	return len(p), nil
}

func (t *tail) add(line string) {
	if line = strings.TrimSpace(line); line != "" {
		t.lines = append(t.lines, redact(line))
		t.lines = t.lines[max(0, len(t.lines)-tailLines):]
	}
}

func (t *tail) last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(string(t.current))
	t.current = t.current[:0]
	return t.lines
}

// credentials are the name and password in a URL; streamKey is what follows the
// host in one of RTMP, where the key of a channel is, and passphrase that of SRT.
var (
	credentials = lazily(`://[^/@\s]+@`)
	streamKey   = lazily(`(rtmp[a-z]*://[^/\s]+/)[^\s'"]*[^\s'":;,.)]`)
	passphrase  = lazily(`(passphrase|streamid)=[^&\s'"]*`)
)

// redact takes out of a text what must not be read by all who see it.
func redact(text string) string {
	text = credentials().ReplaceAllString(text, "://***@")
	text = streamKey().ReplaceAllString(text, "${1}***")
	return passphrase().ReplaceAllString(text, "${1}=***")
}
