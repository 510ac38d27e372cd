package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/compose"
	"github.com/muster-fleet/muster/internal/conference"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtc"
)

func newRoomsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rooms",
		Short:   "List the rooms",
		Long:    "List the rooms, how many people are in each, and which SFUs serve it.",
		Example: "  muster rooms",
		Args:    cli.Takes(),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		return show(a, func(ctx context.Context, c *client.Client) ([]room.State, error) {
			tasks, err := c.ListTasks(ctx, room.PurposeConference)
			states := []room.State{}
			for _, t := range tasks {
				s, err := roomState(ctx, c, t)
				if err != nil {
					s = room.State{Name: t.Task} // it is placed, and does not answer
				}
				states = append(states, s)
			}
			return states, err
		}, printRooms)
	}
	cmd.AddCommand(newRecordCmd(), newStreamCmd())
	return cmd
}

func newRecordCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "record ROOM",
		Short: "Record a room, or stop recording it",
		Long: `Have a room recorded, or with --stop not any more. A worker of purpose recording writes each track to a file of its
own, without decoding. The room goes on being recorded when its SFU, its conference or the recorder dies. People
in the room see it.`,
		Example: "  muster rooms record standup\n  muster rooms record standup --stop",
		Args:    cli.Takes("ROOM"),
	}
	a := askingFlags(cmd)
	stop := cmd.Flags().Bool("stop", false, "stop recording")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return a.order(conference.Order{Room: args[0], Outlet: room.Recording, On: !*stop}, "recorded")
	}
	return cmd
}

func newStreamCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stream ROOM [URL]",
		Short: "Stream a room to RTMP or HLS, or stop streaming it",
		Long: `Have a room streamed to a URL, or with --stop not any more. A worker of purpose streaming makes one picture of
all participants, with the sound of all, and sends it: to rtmp:// or rtmps://, or what else a stream may go to, or as HLS into
a file that ends in .m3u8, below the --root of the worker's agent or as mount:NAME/.... The stream goes on when people
come and go, and when the SFU dies; when the worker or the conference dies it is begun again. People in the room see
that it is streamed, and to which host: the rest of the URL is kept from them, as it may have a key in it.`,
		Example: "  muster rooms stream standup rtmp://live.example/app/KEY\n  muster rooms stream standup streams/standup.m3u8 --layout speaker\n  muster rooms stream standup --stop",
		Args:    cli.Takes("ROOM", "[URL]"),
	}
	a := askingFlags(cmd)
	stop := cmd.Flags().Bool("stop", false, "stop streaming")
	layout := cmd.Flags().String("layout", string(compose.Grid), "`layout` of the picture: grid, or speaker, who is large then")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		o := conference.Order{Room: args[0], Outlet: room.Streaming, On: !*stop}
		switch {
		case *stop && len(args) == 2:
			return cli.Usagef("--stop takes no URL")
		case !*stop && len(args) == 1:
			return cli.Usagef("where to? Give a URL, as rtmp://HOST/APP/KEY, or --stop")
		case !*stop:
			o.Target = room.Target{Output: args[1], Layout: *layout}
		}
		return a.order(o, "streamed")
	}
	return cmd
}

// order has a room recorded or streamed, or not any more; word is what it is then.
func (a *asking) order(o conference.Order, word string) error {
	o.By = "an operator"
	return show(a, func(ctx context.Context, c *client.Client) (now room.Outlet, err error) {
		node, err := conferenceOf(ctx, c, o.Room)
		if err != nil {
			return now, err
		}
		raw, err := c.Call(ctx, node, "order", o)
		if err != nil {
			return now, err
		}
		return now, json.Unmarshal(raw, &now)
	}, func(p *cli.Page, now room.Outlet) {
		if !now.On {
			word = "not " + word
		}
		p.Linef("%s is %s", o.Room, word)
	})
}

// keeperOf returns the worker that has a room.
func keeperOf(ctx context.Context, c *client.Client, name string) (string, error) {
	worker, err := c.Scheduled(ctx, room.PurposeConference, name)
	if errors.Is(err, client.ErrNoTask) || errors.Is(err, client.ErrInvalidPurpose) {
		return "", fmt.Errorf("room %q has no participants: 'muster rooms' lists the rooms", name)
	}
	return worker, err
}

// conferenceOf is the node that has a room.
func conferenceOf(ctx context.Context, c *client.Client, name string) (string, error) {
	worker, err := keeperOf(ctx, c, name)
	if err != nil {
		return "", err
	}
	report, err := c.QueryTask(ctx, worker, name)
	return report.Node, err
}

// keptRoom is roomState of the room of a name.
func keptRoom(ctx context.Context, c *client.Client, name string) (room.State, error) {
	worker, err := keeperOf(ctx, c, name)
	if err != nil {
		return room.State{}, err
	}
	return roomState(ctx, c, client.Task{Task: name, Worker: worker})
}

// roomState asks the conference that has a room.
func roomState(ctx context.Context, c *client.Client, t client.Task) (room.State, error) {
	var s room.State
	report, err := c.QueryTask(ctx, t.Worker, t.Task)
	if err != nil {
		return s, err
	}
	raw, err := c.Call(ctx, report.Node, "room", t.Task)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(raw, &s)
}

func printRooms(p *cli.Page, states []room.State) {
	t := cli.Table{Empty: "no rooms", Heading: []string{"ROOM", "PEOPLE", "TRACKS", "SFU"}}
	for _, s := range states {
		tracks := 0
		for _, who := range s.Participants {
			tracks += len(who.Tracks)
		}
		t.Add(s.Name, fmt.Sprint(len(s.Participants)), fmt.Sprint(tracks), orWord(strings.Join(servedBy(s), ", "), "-"))
	}
	p.Table(t)
}

// servedBy are the SFUs of the parts of a room.
func servedBy(s room.State) (nodes []string) {
	for _, p := range s.Parts {
		if p.Node != "" {
			nodes = append(nodes, p.Node)
		}
	}
	return nodes
}

func newRoomCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "room ROOM",
		Short: "Show who is in a room",
		Long: `Show who is in a room, what they publish, at which portal and in which part of the room they are, and which SFU serves
each part. A room has one part until it outgrows an SFU or people come from another region. Then what people of one
part want of those of another comes over a link between the SFUs.`,
		Example: "  muster room standup",
		Args:    cli.Takes("ROOM"),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return show(a, func(ctx context.Context, c *client.Client) (shownRoom, error) {
			s, err := keptRoom(ctx, c, args[0])
			if err != nil {
				return shownRoom{}, err
			}
			return shownRoom{s, linksOf(ctx, c, s)}, nil
		}, printRoom)
	}
	return cmd
}

// printParts says what serves the room: a line for each part.
func printParts(page *cli.Page, s room.State) {
	people := map[int]int{}
	for _, p := range s.Participants {
		people[p.Part]++
	}
	served := false
	for _, p := range s.Parts {
		if p.Node == "" && people[p.ID] == 0 {
			continue // it has ended
		}
		served = true
		line := fmt.Sprintf("%s: part %d on %s, %d people", s.Name, p.ID, orWord(p.Node, "no SFU yet"), people[p.ID])
		if p.Region != "" {
			line += ", for region " + p.Region
		}
		if p.Full {
			line += ", full"
		}
		if p.Drained {
			line += ", leaving " + p.Former.Node
		}
		page.Linef("%s", line)
	}
	if !served {
		page.Linef("%s: no SFU yet", s.Name)
	}
}

// shownRoom is a room with the links between its parts.
type shownRoom struct {
	room.State
	Links []partLink `json:"links"`
}

// partLink is what comes to an SFU from another.
type partLink struct {
	// To is the SFU that wants it.
	To string `json:"to"`
	rtc.LinkStats
}

// linksOf asks the SFUs of a room for their links. One that does not answer has none.
func linksOf(ctx context.Context, c *client.Client, s room.State) []partLink {
	links := []partLink{}
	nodes := s.Nodes()
	if len(nodes) < 2 {
		return links
	}
	for _, node := range nodes {
		stats, err := sfuStats(ctx, c, node)
		if err != nil {
			continue
		}
		for _, l := range stats.Links {
			if l.Room == s.Name {
				links = append(links, partLink{node, l})
			}
		}
	}
	return links
}

// text says what comes over the link.
func (l partLink) text() string {
	coming := 0
	for _, layers := range l.Layers {
		if len(layers) > 0 {
			coming++
		}
	}
	return fmt.Sprintf("link from %s to %s: %s, %d tracks", l.Node, l.To, orWord(strings.Join(slices.Compact(slices.Sorted(slices.Values(l.Connections))), ", "), "not connected"), coming)
}

func printRoom(page *cli.Page, r shownRoom) {
	s := r.State
	printParts(page, s)
	for _, l := range r.Links {
		page.Linef("%s", l.text())
	}
	if r := s.Recording; r.On {
		page.Linef("recorded by %s, as %s said", orWord(r.Node, "no recorder yet"), r.By)
	}
	if o := s.Streaming; o.On {
		page.Linef("streamed to %s by %s, as %s said", o.To, orWord(o.Node, "no worker yet"), o.By)
	}
	t := cli.Table{Empty: "no participants", Heading: []string{"USER", "ROLE", "PARTICIPANT", "TRACKS", "PORTAL", "PART"}}
	for _, p := range s.Participants {
		var tracks []string
		for _, track := range p.Tracks {
			word := track.Source
			if track.Muted {
				word += " (muted)"
			}
			tracks = append(tracks, word)
		}
		t.Add(p.User, string(p.Role), p.ID, orWord(strings.Join(tracks, ", "), "-"), p.Portal, partWord(p.Part))
	}
	page.Table(t)
}

// partWord names the part of a participant.
func partWord(id int) string {
	if id == 0 {
		return "-"
	}
	return fmt.Sprint(id)
}
