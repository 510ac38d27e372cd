package sfu

import (
	"context"
	"encoding/json"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtc"
)

// asked is the argument of published.
type asked struct {
	Room   string   `json:"room"`
	Tracks []string `json:"tracks"`
}

// Client reaches SFUs over the queue, each by its node. It is rtc.Upstream.
type Client struct{ Conn bus.Conn }

func (c Client) call(ctx context.Context, node, method string, arg, into any) error {
	raw, err := c.Conn.Call(ctx, node, method, arg)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// Offer has the SFU answer an offer.
func (c Client) Offer(ctx context.Context, node string, o room.Offer) (string, error) {
	var a Answer
	err := c.call(ctx, node, "offer", o, &a)
	return a.SDP, err
}

// Change changes what a session sends and receives.
func (c Client) Change(ctx context.Context, node, session string, change room.Change) error {
	_, err := c.Conn.Call(ctx, node, "change", ChangeOf{Session: session, Change: change})
	return err
}

// End ends a session of a room.
func (c Client) End(ctx context.Context, node, name, session string) {
	_ = c.Conn.Cast(ctx, node, "end", End{Room: name, Session: session}) // silence ends it too
}

// Published returns those of the tracks that are published there.
func (c Client) Published(ctx context.Context, node, name string, tracks []string) (found []rtc.Published, err error) {
	err = c.call(ctx, node, "published", asked{name, tracks}, &found)
	return found, err
}
