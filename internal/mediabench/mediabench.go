// Package mediabench measures what a fleet adds to the work of ffmpeg: many
// short clips, transcoded by `muster run --each` and by xargs with the same
// arguments, in turns.
package mediabench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options are what is measured.
type Options struct {
	// Muster is the program.
	Muster string
	// Clips are so many, each Seconds long and Size large; Height is that of what
	// is made of them.
	Clips   int
	Seconds float64
	Size    string
	Height  int
	// Parallel is how many ffmpeg run at a time.
	Parallel int
	// Rounds are turns of both.
	Rounds int
	// Progress is called with how much is done, from 0 to 1; nil is none.
	Progress func(float64)
}

// DefaultOptions are twenty clips of three seconds.
func DefaultOptions() Options {
	return Options{Clips: 20, Seconds: 3, Size: "1280x720", Height: 360, Parallel: 2, Rounds: 3}
}

// Validate returns what is wrong, by the name of the flag.
func (o Options) Validate() error {
	switch {
	case o.Clips < 1 || o.Parallel < 1 || o.Rounds < 1:
		return errors.New("--clips, --parallel and --rounds must be at least 1")
	case !(o.Seconds > 0):
		return fmt.Errorf("--seconds must be positive, but is %v", o.Seconds)
	case o.Height < 2 || o.Height%2 != 0:
		return fmt.Errorf("--height must be even and positive, but is %d", o.Height)
	}
	return nil
}

// Result is a round. Times are in nanoseconds.
type Result struct {
	Round int `json:"round"`
	Clips int `json:"clips"`
	// MusterWall and XargsWall are from the start of the command to its end.
	MusterWall time.Duration `json:"muster_wall_ns"`
	XargsWall  time.Duration `json:"xargs_wall_ns"`
	// MusterCPU is that of the command, of the queue with its manager, of the
	// agent, and of all that they started; XargsCPU is that of all ffmpeg.
	MusterCPU time.Duration `json:"muster_cpu_ns"`
	XargsCPU  time.Duration `json:"xargs_cpu_ns"`
	WallRatio float64       `json:"wall_ratio"`
	CPURatio  float64       `json:"cpu_ratio"`
	// Load is that of the machine before the round: the mean of a minute.
	Load string `json:"load"`
}

// Run measures. What was measured before an error is returned with it.
func Run(ctx context.Context, o Options) (results []Result, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "musterbench-media-")
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{Options: o, dir: dir}
	if err := b.makeClips(ctx); err != nil {
		return nil, err
	}
	f, err := startFleet(ctx, o, dir, func(f *fleet) error {
		return f.start(ctx, dir, "bench-agent", o.Muster, "agent", "--purpose", "video", "--id", "bench-agent", "--dir", filepath.Join(dir, "agent"),
			"--load", "memory", "--max-load", "1", "--max-tasks", fmt.Sprint(o.Parallel), "--url", f.url)
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	b.fleet = f
	if err := b.warmUp(ctx); err != nil {
		return nil, err
	}
	for round := 1; round <= o.Rounds; round++ {
		r, err := b.round(ctx, round)
		if err != nil {
			return results, err
		}
		results = append(results, r)
		if o.Progress != nil {
			o.Progress(float64(round) / float64(o.Rounds))
		}
	}
	return results, nil
}

// bench is a measurement that goes on.
type bench struct {
	Options
	dir   string
	fleet *fleet
	names []string
	// args are those with which the fleet runs ffmpeg, where {} stands for the
	// name of a clip.
	args []string
}

// makeClips makes the inputs.
func (b *bench) makeClips(ctx context.Context) error {
	in := filepath.Join(b.dir, "in")
	if err := os.Mkdir(in, 0o777); err != nil {
		return fmt.Errorf("media: %w", err)
	}
	for i := range b.Clips {
		name := fmt.Sprintf("clip-%02d", i)
		b.names = append(b.names, name)
		cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-nostdin",
			"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=25:duration=%v", b.Size, b.Seconds),
			"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=%d:duration=%v", 200+20*i, b.Seconds),
			"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", filepath.Join(in, name+".mp4"))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("media: making clips: %w: %s", err, out)
		}
	}
	return nil
}

// round is one turn of both, the other way round each time.
func (b *bench) round(ctx context.Context, n int) (Result, error) {
	r := Result{Round: n, Clips: b.Clips, Load: loadAverage()}
	own := func() (err error) {
		r.MusterWall, r.MusterCPU, err = b.byMuster(ctx, fmt.Sprintf("muster-%d", n), "*")
		return err
	}
	plain := func() (err error) {
		r.XargsWall, r.XargsCPU, err = b.byXargs(ctx, fmt.Sprintf("xargs-%d", n))
		return err
	}
	turns := []func() error{own, plain}
	if n%2 == 0 {
		slices.Reverse(turns)
	}
	for _, turn := range turns {
		if err := turn(); err != nil {
			return r, err
		}
	}
	r.WallRatio = r.MusterWall.Seconds() / r.XargsWall.Seconds()
	r.CPURatio = r.MusterCPU.Seconds() / r.XargsCPU.Seconds()
	return r, nil
}

// byMuster transcodes the clips that fit a pattern on the fleet.
func (b *bench) byMuster(ctx context.Context, to, pattern string) (wall, cpu time.Duration, err error) {
	before, err := b.fleet.settled(ctx)
	if err != nil {
		return 0, 0, err
	}
	cmd, wall, err := b.run(ctx, to, pattern, false)
	if err != nil {
		return 0, 0, err
	}
	after, err := b.fleet.settled(ctx)
	return wall, after - before + used(cmd), err
}

// run has the clips that fit a pattern transcoded by muster run, with split or
// without.
func (b *bench) run(ctx context.Context, to, pattern string, split bool) (*exec.Cmd, time.Duration, error) {
	spec := fmt.Sprintf(`{"input":"{file}","output":%q,"split":%v,"ladder":[{"height":%d,"codec":"h264"}]}`, filepath.Join(b.dir, to, "{stem}"), split, b.Height)
	cmd := exec.CommandContext(ctx, b.Muster, "run", "video", "--each", filepath.Join(b.dir, "in", pattern+".mp4"), "--spec", spec,
		"--url", b.fleet.url, "-o", "json")
	began := time.Now()
	out, err := cmd.Output()
	wall := time.Since(began)
	if err != nil {
		return nil, 0, fmt.Errorf("media: muster run: %w: %s", err, out)
	}
	return cmd, wall, done(out)
}

// done checks what muster run says of its tasks.
func done(out []byte) error {
	var results []struct{ Task, Result string }
	if err := json.Unmarshal(out, &results); err != nil {
		return fmt.Errorf("media: muster run: %w", err)
	}
	for _, r := range results {
		if r.Result != "done" {
			return fmt.Errorf("media: %s is %s", r.Task, r.Result)
		}
	}
	return nil
}

// byXargs does the same without a fleet.
func (b *bench) byXargs(ctx context.Context, to string) (wall, cpu time.Duration, err error) {
	out := filepath.Join(b.dir, to)
	if err := os.Mkdir(out, 0o777); err != nil {
		return 0, 0, fmt.Errorf("media: %w", err)
	}
	argv := []string{"-P", fmt.Sprint(b.Parallel), "-I", "{}"}
	for _, arg := range b.args {
		argv = append(argv, strings.ReplaceAll(arg, "OUT", out))
	}
	cmd := exec.CommandContext(ctx, "xargs", argv...)
	cmd.Stdin = strings.NewReader(strings.Join(b.names, "\n") + "\n")
	began := time.Now()
	if err := cmd.Run(); err != nil { // what ffmpeg writes goes to the null device
		return 0, 0, fmt.Errorf("media: xargs: %w", err)
	}
	wall = time.Since(began)
	for _, name := range b.names {
		if info, err := os.Stat(filepath.Join(out, name+".mp4")); err != nil || info.Size() == 0 {
			return 0, 0, fmt.Errorf("media: xargs made no %s", name)
		}
	}
	return wall, used(cmd), nil
}

// used is the processor time of a program that has ended, and of all that it
// waited for.
func used(cmd *exec.Cmd) time.Duration {
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// warmUp does one clip, and finds with which arguments the fleet runs ffmpeg.
func (b *bench) warmUp(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	warm := filepath.Join(b.dir, "warm")
	found := make(chan []string, 1)
	go func() { found <- b.fleet.watch(ctx, warm) }()
	_, _, err := b.byMuster(ctx, "warm", b.names[0])
	if err != nil {
		return err
	}
	cancel()
	argv := <-found
	if argv == nil {
		return errors.New("media: the fleet's ffmpeg was not seen: clips are too short (--seconds)")
	}
	for _, arg := range argv {
		if strings.HasPrefix(arg, warm) {
			arg = "OUT/{}.mp4"
		}
		b.args = append(b.args, strings.ReplaceAll(arg, b.names[0], "{}"))
	}
	return nil
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
