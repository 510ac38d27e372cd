package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtc"
)

func newWhyParticipantCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "participant ROOM USER",
		Short: "Explain which SFU serves a participant, and what they receive",
		Long: `Explain in which part of a room a participant is, which SFU serves that and why, what they send, and in which layer they
receive each track of the others. HELD BACK says why it is not the best layer that the publisher sends. USER is a user or the id
of a participant.`,
		Example: "  muster why participant standup alice",
		Args:    cli.Takes("ROOM", "USER"),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return show(a, func(ctx context.Context, c *client.Client) ([]whyParticipant, error) {
			return explainParticipants(ctx, c, args[0], args[1])
		}, func(p *cli.Page, found []whyParticipant) {
			for _, w := range found {
				w.print(p)
			}
		})
	}
	return cmd
}

// whyParticipant is what is known of how a participant is served.
type whyParticipant struct {
	Participant room.Participant `json:"participant"`
	Part        room.Part        `json:"part"`
	// Others says of the other parts why they are not his.
	Others []string `json:"others"`
	// Placement is why the part is on that worker, nil where the manager has
	// forgotten that.
	Placement *muster.Explanation `json:"placement"`
	// Sessions are the participant's connections to the SFU, Sends what arrives from
	// them there, and Receives what they get.
	Sessions []rtc.SessionStats `json:"sessions"`
	Sends    []rtc.TrackStats   `json:"sends"`
	Receives []received         `json:"receives"`
}

// received is a track that the participant gets.
type received struct {
	// User is who sends it.
	User   string `json:"user"`
	Source string `json:"source"`
	rtc.SlotStats
}

// explainParticipants explains everybody in the room who has that name.
func explainParticipants(ctx context.Context, c *client.Client, name, user string) ([]whyParticipant, error) {
	s, err := keptRoom(ctx, c, name)
	if err != nil {
		return nil, err
	}
	var found []whyParticipant
	for _, p := range s.Participants {
		if p.User != user && p.ID != user {
			continue
		}
		w := whyParticipant{Participant: p, Sessions: []rtc.SessionStats{}, Sends: []rtc.TrackStats{}, Receives: []received{}}
		w.Part, _ = s.PartOf(p.ID)
		w.Others = otherParts(s, p)
		if w.Part.Node != "" {
			stats, err := sfuStats(ctx, c, w.Part.Node)
			if err != nil {
				return nil, err
			}
			w.take(s, stats)
		}
		if e, err := c.Why(ctx, room.PurposeSFU, room.PartTask(name, w.Part.Number)); err == nil {
			w.Placement = &e
		}
		found = append(found, w)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%q is not in room %q: see 'muster room %s'", user, name, name)
	}
	return found, nil
}

// otherParts says of the other parts of the room what they are: people go to the first
// part of their region that is not full when they come, and stay there.
func otherParts(s room.State, p room.Participant) []string {
	out := []string{}
	for _, part := range s.Parts {
		if part.ID == p.Part || part.Node == "" {
			continue
		}
		text := fmt.Sprintf("part %d, on %s, has room", part.ID, part.Node)
		switch {
		case part.Full:
			text = fmt.Sprintf("part %d, on %s, is full", part.ID, part.Node)
		case p.Region != "" && part.Region != p.Region:
			text = fmt.Sprintf("part %d, on %s, is not for their region, %s", part.ID, part.Node, p.Region)
		case part.ID > p.Part:
			text += ", and is a later one"
		}
		out = append(out, text)
	}
	return out
}

// sfuStats asks an SFU what it does.
func sfuStats(ctx context.Context, c *client.Client, node string) (stats rtc.Stats, err error) {
	raw, err := c.Call(ctx, node, "rtcStats")
	if err == nil {
		err = json.Unmarshal(raw, &stats)
	}
	if err != nil {
		return stats, fmt.Errorf("SFU %s: %w", node, err)
	}
	return stats, nil
}

// take finds what belongs to the participant.
func (w *whyParticipant) take(s room.State, stats rtc.Stats) {
	for _, n := range stats.Sessions {
		if n.Room == s.Name && n.Owner == w.Participant.ID {
			w.Sessions = append(w.Sessions, n)
		}
	}
	for _, t := range stats.Tracks {
		if t.Room == s.Name && strings.HasPrefix(t.Track, w.Participant.ID+".") {
			w.Sends = append(w.Sends, t)
		}
	}
	for _, slot := range stats.Slots {
		if !strings.HasPrefix(slot.Session, w.Participant.ID+".") {
			continue
		}
		r := received{SlotStats: slot}
		for _, p := range s.Participants {
			for _, t := range p.Tracks {
				if t.ID == slot.Track {
					r.User, r.Source = p.User, t.Source
				}
			}
		}
		w.Receives = append(w.Receives, r)
	}
}

func (w whyParticipant) print(page *cli.Page) {
	p := w.Participant
	page.Linef("%s (%s, %s) is at portal %s, in part %d of the room, on %s", p.User, p.Role, p.ID, p.Portal, w.Part.ID, orWord(w.Part.Node, "no SFU yet"))
	for _, other := range w.Others {
		page.Linef("%s", other)
	}
	if w.Placement != nil {
		page.Linef("%s", verdict(*w.Placement))
	}
	for _, n := range w.Sessions {
		line := "its line is not measured"
		if n.Estimate > 0 {
			line = fmt.Sprintf("its line carries %d kbit/s", n.Estimate/1000)
		}
		page.Linef("connection %s is %s; %s", n.Session, n.State, line)
	}
	if len(w.Sends) > 0 {
		page.Linef("")
		t := cli.Table{Heading: []string{"SENDS", "CODEC", "LAYERS", "TO"}}
		for _, track := range w.Sends {
			_, source, _ := strings.Cut(track.Track, ".")
			t.Add(source, track.Codec, layersText(track.Layers), fmt.Sprint(track.Slots))
		}
		page.Table(t)
	}
	if len(w.Receives) == 0 {
		page.Linef("receives nothing")
		return
	}
	page.Linef("")
	t := cli.Table{Heading: []string{"RECEIVES", "OF", "LAYER", "HELD BACK"}}
	for _, r := range w.Receives {
		t.Add(orWord(r.Source, r.Track), orWord(r.User, "-"), r.layer(), orWord(r.Held, "-"))
	}
	page.Table(t)
}

// layer says what arrives of a track.
func (r received) layer() string {
	switch {
	case !r.Attached:
		return "not published here"
	case !r.Sending:
		return "nothing"
	}
	return fmt.Sprintf("%d.%d", r.Encoding, r.Temporal)
}

// layersText are the best temporal layers of each encoding that arrives.
func layersText(layers []rtc.Layer) string {
	best := map[int]rtc.Layer{}
	most := -1
	for _, l := range layers {
		if known, ok := best[l.Encoding]; !ok || l.Temporal > known.Temporal {
			best[l.Encoding] = l
		}
		most = max(most, l.Encoding)
	}
	var parts []string
	for i := range most + 1 {
		l, ok := best[i]
		if !ok {
			continue
		}
		text := fmt.Sprintf("%d.%d: %d kbit/s", i, l.Temporal, l.Bitrate/1000)
		if l.Height > 0 {
			text += fmt.Sprintf(", %d lines", l.Height)
		}
		parts = append(parts, text)
	}
	return orWord(strings.Join(parts, "; "), "nothing arrives")
}
