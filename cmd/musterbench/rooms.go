package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/roombench"
)

const roomsLong = `Sends made-up media through a server to subscribers, and counts what arrives for each second of the
server's processor time. The servers are Muster's SFU, and plain pion: a track that every connection
sends, as pion's examples do it. Each is a process of its own; clients are the same (pion, with feedback
as browsers give it), on the loopback, and share the machine. The servers take turns.

A publisher sends a picture of 2.1 Mbit/s (240 packets a second) and sound (50). In 1x20 one of them has
20 subscribers; in 10x10 ten people send and get the other nine. 1x20s is simulcast: two smaller encodings
of the picture as well, and an estimate of what each subscriber's line carries; it begins when the largest
encoding has come to everybody, or after 20 s. Plain pion chooses no encoding, and is left out there.

--livekit adds the server of LiveKit, on the loopback with one UDP port, its defaults and no log; of
simulcast with its own estimate by transport-cc (use_send_side_bwe). One who sends and receives is one
participant there, who has two connections, as with Muster.

  per_cpu_second    packets that arrived ÷ seconds of the server's processor time; the median of the turns
  ratio             that ÷ plain pion's
  ratio_livekit     that ÷ LiveKit's
  cpu               processors that the server kept busy
  lost              share of the packets that did not arrive, of simulcast those of the largest encoding
  memory_per_track  resident memory of the server ÷ tracks that its subscribers get, in bytes
  growth_per_track  the part of it that the server did not have before they came

With --kill or --drain nothing of that is measured, but what people notice when the SFU of their room is
killed, or drained: a cluster ("muster up" and one more SFU) is started for it, with clients that follow the
room as the page does, and with --browser a page of headless Chromium as well. Rows are in milliseconds:

  join until the first frame   from the beginning of the connection to the portal
  kill: largest gap            between two arrivals of a track, of each client after each kill
  drain: frames missing        the longest run of frames of a track that never came, as time
  drain: largest gap           between two frames in the page

lost are those who were not served again within 30 s.`

func newRoomsCmd() *cobra.Command {
	var f cli.MeasureFlags
	o := roombench.DefaultOptions()
	trial := roombench.DefaultTrialOptions()
	trial.Kills, trial.Drains = 0, 0
	cmd := &cobra.Command{
		Use: "rooms", Short: "Measure forwarding of media beside plain pion and LiveKit", Long: roomsLong, Args: cli.Takes(),
		Example: "  musterbench rooms\n  musterbench rooms --shapes 1x50 --rounds 5 -o json\n  musterbench rooms --livekit livekit-server --shapes 1x20,10x10,1x20s\n  musterbench rooms --drain 3 --kill 20 --browser",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if trial.Kills > 0 || trial.Drains > 0 {
				return printTrial(cmd, trial, f.Format)
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			o.Server = []string{self, serveRooms}
			if o.LiveKit == "" && slices.Contains(o.Kinds, roombench.LiveKit) {
				return cli.Usagef("--servers livekit needs --livekit")
			}
			if o.LiveKit != "" && !slices.Contains(o.Kinds, roombench.LiveKit) {
				o.Kinds = append(slices.Clone(o.Kinds), roombench.LiveKit)
			}
			if o.Rounds < 1 || o.Duration <= 0 {
				return cli.Usagef("--rounds and --duration must be positive, not %d and %v", o.Rounds, o.Duration)
			}
			return cli.Measure(cmd, &f, roomsColumns, true, func(bar *cli.Bar) ([]roombench.Result, error) {
				o.Progress = cli.Part[int](bar)
				return roombench.Run(cmd.Context(), o)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Shapes, "shapes", o.Shapes, "`PUBLISHERSxSUBSCRIBERS`, comma-separated")
	flags.StringSliceVar(&o.Kinds, "servers", o.Kinds, "`servers` to measure, comma-separated: muster, pion, and livekit with --livekit")
	flags.StringVar(&o.LiveKit, "livekit", "", "the `program` of LiveKit's server, to measure it as well")
	flags.IntVar(&o.Rounds, "rounds", o.Rounds, "turns of each server")
	flags.DurationVar(&o.Duration, "duration", o.Duration, "time of each turn")
	flags.IntVar(&trial.Kills, "kill", 0, "how often the SFU of a room is killed; then no forwarding is measured")
	flags.IntVar(&trial.Drains, "drain", 0, "how often the SFU of a room is drained before; then no forwarding is measured")
	flags.IntVar(&trial.People, "people", trial.People, "people in the room of --kill and --drain")
	flags.IntVar(&trial.Senders, "senders", trial.Senders, "how many of them send a picture and sound")
	flags.IntVar(&trial.Rate, "rate", trial.Rate, "`frames` a second of each of their tracks")
	flags.IntVar(&trial.Joins, "joins", trial.Joins, "how often the page of --browser joins")
	flags.BoolVar(&trial.Browser, "browser", false, "with a page of headless Chromium in the room of --kill and --drain")
	flags.StringVar(&trial.Muster, "muster", "", "the `muster` program of that room's cluster; default: beside this program, then on PATH")
	f.Add(cmd)
	return cmd
}

// serveRooms is the verb that runs a server of the measurement.
const serveRooms = "serve-rooms"

func newServeRoomsCmd() *cobra.Command {
	var f cli.MeasureFlags
	cmd := &cobra.Command{
		Use: serveRooms + " KIND", Short: "Run a server of the verb rooms (started by it)", Hidden: true, Args: cobra.ExactArgs(1),
	}
	f.Add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return f.Profiled(func() error { return roombench.Serve(cmd.Context(), args[0], cmd.OutOrStdout()) })
	}
	return cmd
}

var roomsColumns = []cli.Column[roombench.Result]{
	cli.Col("shape", func(r roombench.Result) string { return r.Shape }),
	cli.Col("server", func(r roombench.Result) string { return r.Server }),
	cli.Col("packets per CPU second", func(r roombench.Result) string { return cli.Thousands(int64(r.PerCPUSecond)) }),
	cli.Col("÷ pion", func(r roombench.Result) string { return ratio(r.Ratio) }),
	cli.Col("÷ LiveKit", func(r roombench.Result) string { return ratio(r.ToLiveKit) }),
	cli.Col("CPU", func(r roombench.Result) string { return fmt.Sprintf("%.2f", r.CPU) }),
	cli.Col("lost", func(r roombench.Result) string { return fmt.Sprintf("%.2f %%", 100*r.Lost) }),
	cli.Col("memory per track", func(r roombench.Result) string { return cli.Thousands(r.Memory) }),
	cli.Col("without the program", func(r roombench.Result) string { return cli.Thousands(r.Growth) }),
}

// ratio is a ratio, which is missing where the other was not measured.
func ratio(r float64) string {
	if r == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", r)
}

func printTrial(cmd *cobra.Command, o roombench.TrialOptions, format cli.Format) error {
	if o.Senders < 2 || o.People <= o.Senders {
		return cli.Usagef("--senders must be 2 or more, and --people more, not %d and %d", o.Senders, o.People)
	}
	if o.Rate < 1 || o.Rate > 50 {
		return cli.Usagef("--rate must be 1 to 50, not %d", o.Rate)
	}
	var err error
	if o.Muster, err = findMuster(o.Muster); err != nil {
		return err
	}
	o.Progress = func(line string) { _, _ = fmt.Fprintln(cmd.ErrOrStderr(), line) }
	results, err := roombench.RunTrial(cmd.Context(), o)
	if len(results) > 0 {
		if err := cli.PrintResults(cmd.OutOrStdout(), format, trialColumns, results, true); err != nil {
			return err
		}
	}
	return err
}

var trialColumns = []cli.Column[roombench.TrialResult]{
	cli.Col("what", func(r roombench.TrialResult) string { return r.What }),
	cli.Col("count", func(r roombench.TrialResult) string { return fmt.Sprint(r.Count) }),
	cli.Col("p50 ms", func(r roombench.TrialResult) string { return fmt.Sprintf("%.0f", r.P50) }),
	cli.Col("p95 ms", func(r roombench.TrialResult) string { return fmt.Sprintf("%.0f", r.P95) }),
	cli.Col("p99 ms", func(r roombench.TrialResult) string { return fmt.Sprintf("%.0f", r.P99) }),
	cli.Col("max ms", func(r roombench.TrialResult) string { return fmt.Sprintf("%.0f", r.Max) }),
	cli.Col("lost", func(r roombench.TrialResult) string { return fmt.Sprint(r.Lost) }),
}
