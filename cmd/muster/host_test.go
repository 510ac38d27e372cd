package main

import (
	"log/slog"
	"testing"

	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/config"
)

// A second lone manager on one queue is refused. Package host tests whom else a
// manager refuses to run beside.
func TestRefusesASecondLoneManager(t *testing.T) {
	url := rabbit.Broker(t).URL()
	begin(t, "manager", "--url", url, "--cluster", "lone", "--initial-time", "0s").await(`msg="manager takes requests"`)
	contains(t, refusedWith(t, 1, "manager", "--url", url, "--cluster", "lone").stderr, "a Muster manager serves", "--raft and --peers")
}

// What the configuration says of the other managers reaches package host.
func TestConfigurationOfTheHost(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for _, test := range []struct {
		lines                    string
		embedded                 bool
		own, owtQueue, owt, raft bool
	}{
		{lines: "", embedded: true, own: true},
		{lines: "[bus]\nurl = 'nats://127.0.0.1:1'\n"},
		{lines: "[bus]\nurl = 'amqp://127.0.0.1:1'\n", owtQueue: true},
		{lines: "[bus]\nurl = 'amqp://127.0.0.1:1'\n[manager]\nreplica = 'owt'\n", owtQueue: true, owt: true},
		{lines: "[bus]\nurl = 'amqp://127.0.0.1:1'\n[raft]\naddr = '127.0.0.1:2'\npeers = '127.0.0.1:2,127.0.0.1:3'\n", owtQueue: true, raft: true},
	} {
		cfg, err := config.Load(writeConfig(t, test.lines))
		if err != nil {
			t.Fatal(err)
		}
		h := &managerProcess{cfg: cfg, restored: true, log: slog.New(slog.DiscardHandler)}
		if test.embedded {
			h.server = new(natsserver.Server)
		}
		o, err := h.options()
		if err != nil || o.OwnQueue != test.own || o.OWTQueue != test.owtQueue || o.OWT != test.owt || (o.Raft != nil) != test.raft {
			t.Errorf("%q: %+v, %v", test.lines, o, err)
		}
		if o.Raft != nil && (o.Raft.Addr != "127.0.0.1:2" || len(o.Raft.Peers) != 2 || !o.Raft.Restored) {
			t.Errorf("%q: %+v", test.lines, o.Raft)
		}
	}
}
