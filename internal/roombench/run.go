package roombench

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// The media of a publisher: a picture of 2.1 Mbit/s, and sound.
const (
	pictureRate    = 30
	picturePackets = 8
	pictureSize    = 1100
	soundRate      = 50
	soundSize      = 100
)

// Options say what is measured.
type Options struct {
	// Server is the command line of a server, to which its kind is added.
	Server []string
	// LiveKit is the program of LiveKit's server, for the kind of that name.
	LiveKit string
	// Shapes are publishers and subscribers: "1x20" is one to twenty, "10x10"
	// ten people who all see each other. "1x20s" is simulcast: three encodings of
	// each picture, and an estimate of each subscriber's line.
	Shapes []string
	// Kinds are the servers, in turns. Pion is left out of simulcast, which it
	// does not choose from.
	Kinds []string
	// Rounds is how often each has its turn, Duration how long it is measured.
	Rounds   int
	Duration time.Duration
	// Progress hears how much is done.
	Progress func(done, total int)
}

// DefaultOptions returns what the figures in the documentation use.
func DefaultOptions() Options {
	return Options{Shapes: []string{"1x20", "10x10"}, Kinds: Kinds, Rounds: 3, Duration: 8 * time.Second}
}

// Result is what one server did in all its turns.
type Result struct {
	Shape  string `json:"shape"`
	Server string `json:"server"`
	// PerCPUSecond is how many packets reached subscribers for each second of
	// the server's processor time: the median of the turns.
	PerCPUSecond float64 `json:"per_cpu_second"`
	// Ratio is that of this server ÷ that of plain pion, ToLiveKit ÷ that of
	// LiveKit; 0 where that was not measured.
	Ratio     float64 `json:"ratio"`
	ToLiveKit float64 `json:"ratio_livekit"`
	// CPU is the share of a processor that the server used.
	CPU float64 `json:"cpu"`
	// Lost is the share of the packets that did not arrive, of simulcast those of
	// the largest encoding.
	Lost float64 `json:"lost"`
	// Memory is that of the server ÷ the tracks that subscribers got, in bytes;
	// Growth is the part that it did not have before they came.
	Memory int64 `json:"memory_per_track"`
	Growth int64 `json:"growth_per_track"`
}

// turn is one measurement.
type turn struct {
	perCPU, cpu, lost float64
	memory, growth    int64
}

// Run measures.
func Run(ctx context.Context, o Options) ([]Result, error) {
	shapes := make([]shape, len(o.Shapes))
	total := 0
	for i, text := range o.Shapes {
		var err error
		if shapes[i], err = parseShape(text); err != nil {
			return nil, err
		}
		total += o.Rounds * len(o.kinds(shapes[i]))
	}
	var results []Result
	done := 0
	for i, s := range shapes {
		kinds, turns := o.kinds(s), map[string][]turn{}
		for range o.Rounds {
			for _, kind := range kinds {
				t, err := measureOne(ctx, o, kind, s)
				if err != nil {
					return results, fmt.Errorf("%s, %s: %w", o.Shapes[i], kind, err)
				}
				turns[kind] = append(turns[kind], t)
				done++
				if o.Progress != nil {
					o.Progress(done, total)
				}
			}
		}
		for _, kind := range kinds {
			results = append(results, summary(o.Shapes[i], kind, turns))
		}
	}
	return results, nil
}

// kinds are the servers that are measured in a shape.
func (o Options) kinds(s shape) (kinds []string) {
	for _, kind := range o.Kinds {
		if kind != Plain || !s.simulcast {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// shape is who sends and who receives.
type shape struct {
	publishers, subscribers int
	simulcast               bool
}

func parseShape(text string) (s shape, err error) {
	numbers, simulcast := strings.CutSuffix(text, "s")
	s.simulcast = simulcast
	if n, err := fmt.Sscanf(numbers, "%dx%d", &s.publishers, &s.subscribers); n != 2 || err != nil || s.publishers < 1 || s.subscribers < 1 {
		return s, fmt.Errorf("a shape is such as 1x20, or 1x20s with simulcast, not %q", text)
	}
	return s, nil
}

// rids are the encodings of a picture.
func (s shape) rids() []string {
	if s.simulcast {
		return []string{"q", "h", "f"}
	}
	return nil
}

func measureOne(ctx context.Context, o Options, kind string, s shape) (turn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server, err := start(ctx, o, kind, s)
	if err != nil {
		return turn{}, err
	}
	defer server.close()
	idle, err := server.usage()
	if err != nil {
		return turn{}, err
	}
	c := &crowd{server: server}
	defer c.close()
	if err := c.gather(ctx, s); err != nil {
		return turn{}, err
	}
	before, err := server.usage()
	if err != nil {
		return turn{}, err
	}
	sent, received, began := c.sent(), c.received(), time.Now()
	select {
	case <-time.After(o.Duration):
	case <-ctx.Done():
		return turn{}, context.Cause(ctx)
	}
	elapsed, got, wanted := time.Since(began), c.received()-received, c.sent()-sent
	after, err := server.usage()
	if err != nil {
		return turn{}, err
	}
	used := (after.cpu - before.cpu).Seconds()
	return turn{
		perCPU: float64(got) / used, cpu: used / elapsed.Seconds(), lost: max(0, 1-float64(got)/float64(wanted)),
		memory: after.memory / int64(c.deliveries), growth: (after.memory - idle.memory) / int64(c.deliveries),
	}, nil
}
