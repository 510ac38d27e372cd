package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/room"
)

// allReady reports whether each worker can be given tasks.
func allReady(workers []muster.Worker, started []child) bool {
	ready := map[string]bool{}
	for _, w := range workers {
		ready[w.ID] = w.State.MayTake() && w.Load < w.Info.MaxLoad
	}
	for _, m := range started {
		if m.purpose != managerPurpose && m.purpose != room.PurposePortal && !ready[m.name] {
			return false
		}
	}
	return true
}

// greet prints what runs, and what to type next.
func (u *up) greet(h *managerProcess, started []child, ready bool) {
	say := func(format string, a ...any) { _, _ = fmt.Fprintf(u.stdout, format, a...) }
	say("%s at %s\n", cli.Bold(u.stdout, "Cluster "+h.cfg.Manager.Name), h.url())
	if page := u.page(h); page != "" {
		say("%s at %s   (the API: %s/v1/openapi.json)\n", cli.Bold(u.stdout, "Page"), page, page)
	}
	say("\n")
	if len(started) > 0 {
		t := cli.Table{Heading: []string{"PURPOSE", "NAME", "PID"}}
		for _, m := range started {
			t.Add(m.purpose, m.name, fmt.Sprint(m.pid))
		}
		_ = t.Print(u.stdout)
		say("\n")
	}
	if !ready {
		say("Not every worker is free to take tasks, see 'workers' below. One whose load is at its limit is full:\n" +
			"'up --load memory' lets only this machine's memory count.\n\n")
	}
	if u.noMedia != nil {
		say("These workers handle no media: %v\n\n", u.noMedia)
	}
	if u.root != "" && (u.offersMedia("video") && u.workers > 1) {
		say("Media tasks may use the files in %s (--root).\n\n", u.root)
	}
	if links := u.roomLinks(); len(links) > 0 {
		say("A room, for two people:\n\n")
		for _, link := range links {
			say("  %s\n", link)
		}
		say("\n")
	}
	say("In another terminal:\n\n")
	for _, line := range u.nextLines(h, started) {
		say("  %s\n", line)
	}
	say("\nCtrl-C ends all of it.\n")
}

// page is the address of the page, "" where there is none.
func (u *up) page(h *managerProcess) string {
	switch {
	case h.http != nil:
		return h.http.URL()
	case len(u.pages) > 0:
		return u.announced.of(u.first, u.pages[0])
	}
	return ""
}

// nextLines are commands to try.
func (u *up) nextLines(h *managerProcess, started []child) []string {
	this, where := os.Args[0], u.whereFlags(h)
	lines := []string{
		this + " workers" + where,
		this + " schedule webrtc room-1" + where,
		this + " why webrtc room-1" + where,
		this + ` schedule video x --preference '{"labels":{"gpu":"a100"}}'` + where,
	}
	if u.offersMedia("video") && u.workers > 1 {
		lines = append(lines, this+` run video clip --wait --spec '{"input":"clip.mp4","output":"out","ladder":[{"height":360}]}'`+where)
	}
	if u.offersRooms() {
		lines = append(lines, this+" room "+upRoom+where)
	}
	lines = append(lines, this+" top"+where)
	if u.managers > 1 {
		lines = append(lines, this+" status"+where)
	}
	if i := slices.IndexFunc(started, func(m child) bool { return m.purpose != managerPurpose }); i >= 0 {
		m := started[i]
		lines = append(lines, fmt.Sprintf("kill -9 %d     # the %s worker: it is out at once", m.pid, m.purpose))
	}
	return lines
}

// whereFlags are what the other commands need to find this cluster.
func (u *up) whereFlags(h *managerProcess) string {
	flags := ""
	if u.settings.file != "" {
		flags += " -c " + u.settings.file
	}
	if h.cfg.Origin("bus.listen").Source == config.FromFlag {
		flags += " --url " + h.url()
	}
	if h.cfg.Origin("manager.name").Source == config.FromFlag {
		flags += " --cluster " + h.cfg.Manager.Name
	}
	return flags
}
