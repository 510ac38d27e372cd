package failover

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/bench/testbed"
)

// build builds the program that is run as manager.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "muster")
	if out, err := exec.Command("go", "build", "-o", path, "../../cmd/muster").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// twice returns options for a run with two faults.
func twice(program string, how Fault, url string) Options {
	o := DefaultOptions()
	o.Program, o.Bus = program, bus.Options{URL: url}
	o.How, o.Kills, o.Pause, o.Rate = how, 2, 0, 200
	return o
}

func TestFailover(t *testing.T) {
	program := build(t)
	for _, how := range Faults {
		t.Run(string(how), func(t *testing.T) {
			r, err := Run(t.Context(), twice(program, how, testbed.EmbeddedNATS))
			if err != nil {
				t.Fatal(err)
			}
			if r.Bus != testbed.NATS || r.How != how || r.Caller != CallerMuster || r.Kills != 2 || len(r.Gaps) != 2 || r.Interrupted {
				t.Errorf("not what was asked for: %+v", r)
			}
			if r.Lost != 0 || r.Doubled != 0 || r.Refused != 0 {
				t.Errorf("callers noticed: %+v", r)
			}
			if r.Calls < 3*between || r.GapP50 <= 0 || r.GapP99 < r.GapP50 || r.GapMax < r.GapP99 {
				t.Errorf("figures are missing: %+v", r)
			}
		})
	}
	t.Run("rabbitmq", func(t *testing.T) {
		r, err := Run(t.Context(), twice(program, FaultKill, rabbit.Broker(t).URL()))
		if err != nil {
			t.Fatal(err)
		}
		if r.Bus != testbed.AMQP || r.Caller != CallerOWT || r.Kills != 2 || r.Doubled != 0 || r.Forgotten != 0 || r.Calls == 0 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o := twice(program, FaultKill, testbed.EmbeddedNATS)
		o.Kills = 1000
		o.Progress = func(int, int) { cancel() }
		r, err := Run(ctx, o)
		if err != nil || !r.Interrupted || r.Kills != 1 || r.Calls == 0 || r.Lost != 0 {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}

func TestFailoverRefusesWhatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"program":  func(o *Options) { o.Program = "" },
		"managers": func(o *Options) { o.Managers = 2 },
		"workers":  func(o *Options) { o.Workers = 0 },
		"kills":    func(o *Options) { o.Kills = 0 },
		"rate":     func(o *Options) { o.Rate = 0 },
		"pause":    func(o *Options) { o.Pause = -time.Second },
		"how":      func(o *Options) { o.How = "kick" },
		"caller":   func(o *Options) { o.Caller = "unknown" },
	} {
		o := DefaultOptions()
		o.Program = "muster"
		change(&o)
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v does not name it", name, err)
		}
	}
}
