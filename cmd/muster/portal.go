package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/portal"
	"github.com/muster-fleet/muster/internal/portal/owtportal"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// defaultPortal is where a portal listens.
const defaultPortal = "127.0.0.1:8780"

func newPortalCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "portal",
		Short: "Run a portal: what browsers talk to that enter rooms",
		Long: `Run a portal: the page of rooms, signalling over a WebSocket, WHIP and WHEP over HTTP, and
Socket.IO for OWT's browser SDK. It prints its URL.

A room needs a portal, a conference and an SFU. 'muster up' starts one of each; elsewhere, each on any machine:

  muster portal --listen 127.0.0.1:8780 --public https://rooms.example
  muster agent --purpose conference --max-nodes 1 --reuse --prerun 1 --notify -- muster conference
  muster agent --purpose webrtc --max-nodes 1 --reuse --prerun 1 --notify --label sfu=a -- muster sfu --listen 192.0.2.7:7882

The label sfu names each SFU, by which a conference asks for another one than a machine that does not answer.

It speaks plain HTTP. Browsers open cameras on https pages and on this machine's own only, so that a proxy with a
certificate stands before it elsewhere. Several portals may run: a client whose portal is lost goes to another.` + "\n" + precedence,
		Example: "  muster portal\n  muster portal --listen 0.0.0.0:8780 --public https://rooms.example",
		Args:    cli.Takes(),
	}
	settings, logs := settingsOf(cmd), loggingFlags(cmd, slog.LevelInfo)
	settings.reach(clusterURL)
	p := &portalPlan{}
	cmd.Flags().StringVar(&p.listen, "listen", defaultPortal, "`address` of the HTTP server")
	cmd.Flags().StringVar(&p.public, "public", "", "`URL` at which browsers reach it (default: http:// and the address)")
	cmd.Flags().StringToIntVar(&p.bitrates, "bitrate", nil, "most kbit/s that the pictures of a participant may take, those sent and those received, by role: `ROLE=KBPS`, as presenter=3000,viewer=1500 (default: no limit)")
	cmd.Flags().StringVar(&p.region, "region", "", "`region` of the clients that come here: they get an SFU of that region, where there is one")
	cmd.Flags().StringSliceVar(&p.streamTo, "stream-to", portal.DefaultStreamTo, "what presenters may have rooms streamed to: the `beginnings` of URLs, and of files of the workers of purpose streaming")
	cmd.Flags().StringVar(&p.id, "id", "", "`name` of the worker (default: one that no other has)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := settings.load()
		if err != nil {
			return err
		}
		for role, rate := range p.bitrates {
			if !slices.Contains(room.Roles, room.Role(role)) || rate < 0 {
				return cli.Usagef("--bitrate takes ROLE=KBPS with one of the roles %q, not %s=%d", room.Roles, role, rate)
			}
		}
		p.cfg, p.log = cfg, logs.logger(cmd.ErrOrStderr())
		p.say = func(url string) { _, _ = fmt.Fprintln(cmd.OutOrStdout(), url) }
		return p.run(cmd.Context())
	}
	return cmd
}

// portalPlan is a portal to be run.
type portalPlan struct {
	listen, public, id, region string

	bitrates map[string]int // by role, in kbit/s
	streamTo []string
	cfg      *config.Config
	log      *slog.Logger
	say      func(url string)
}

// run is a portal from its start to its end.
func (p *portalPlan) run(ctx context.Context) error {
	warn(p.cfg, p.log)
	key, err := roomKey(p.cfg)
	if err != nil {
		return err
	}
	conn, err := openPatiently(ctx, p.cfg, "muster portal", p.log)
	if err != nil {
		return unlessInterrupted(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	if p.id == "" {
		p.id = newWorkerID(room.PurposePortal)
	}
	people := make(chan func(*worker.Worker), 1024)
	tell := func(f func(*worker.Worker)) {
		select {
		case people <- f:
		default: // the manager's list of tasks is for people to read
		}
	}
	door, err := portal.Start(portal.Options{
		Conn: conn, Client: client.New(conn, client.Options{Cluster: p.cfg.Manager.Name}), Key: key, ID: p.id, Listen: p.listen, Region: p.region, Logger: p.log, Bitrates: p.limits(), StreamTo: p.streamTo,
		OnEnter: func(who string) { tell(func(w *worker.Worker) { w.AddTask(who) }) },
		OnLeave: func(who string) { tell(func(w *worker.Worker) { w.RemoveTask(who) }) },
	})
	if err != nil {
		return err
	}
	owt := owtportal.Attach(door, owtportal.Options{Logger: p.log})
	err = p.serve(ctx, door, people, func() (*worker.Worker, error) {
		return worker.Join(ctx, conn, worker.Options{
			// Clients choose their portal: it is not full because the machine is busy.
			Load: load.Own(), MaxLoad: 1,
			Purpose: room.PurposePortal, Cluster: p.cfg.Manager.Name, ID: p.id, Logger: p.log, Labels: p.cfg.Labels,
			Extra: map[string]any{"url": p.url(door)}, Handlers: map[string]worker.Handler{"ping": ping},
		})
	})
	owt.Close()
	return errors.Join(err, door.Close())
}

// limits are the bitrates of roles.
func (p *portalPlan) limits() map[room.Role]int {
	out := map[room.Role]int{}
	for role, rate := range p.bitrates {
		out[room.Role(role)] = 1000 * rate
	}
	return out
}

func (p *portalPlan) url(door *portal.Portal) string {
	if p.public != "" {
		return p.public
	}
	return door.URL()
}

// serve joins the cluster, and stays in it until ctx ends.
func (p *portalPlan) serve(ctx context.Context, door *portal.Portal, people <-chan func(*worker.Worker), join func() (*worker.Worker, error)) error {
	w, err := join()
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // interrupted before it had joined
	case err != nil:
		return err
	}
	p.say(p.url(door))
	for {
		select {
		case f := <-people:
			f(w)
		case <-w.Done():
			return w.Err()
		case <-ctx.Done():
			quit, cancel := detached(ctx, quitTime)
			defer cancel()
			return w.Quit(quit)
		}
	}
}
