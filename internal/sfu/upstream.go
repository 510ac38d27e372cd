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

// upstream reaches other SFUs over the queue. It is rtc.Upstream.
type upstream struct{ conn bus.Conn }

func (u upstream) call(ctx context.Context, node, method string, arg, into any) error {
	raw, err := u.conn.Call(ctx, node, method, arg)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

func (u upstream) Offer(ctx context.Context, node string, o room.Offer) (string, error) {
	var a Answer
	err := u.call(ctx, node, "offer", o, &a)
	return a.SDP, err
}

func (u upstream) Change(ctx context.Context, node, session string, c room.Change) error {
	_, err := u.conn.Call(ctx, node, "change", ChangeOf{Session: session, Change: c})
	return err
}

func (u upstream) End(ctx context.Context, node, name, session string) {
	_ = u.conn.Cast(ctx, node, "end", End{Room: name, Session: session}) // silence ends it too
}

func (u upstream) Published(ctx context.Context, node, name string, tracks []string) (found []rtc.Published, err error) {
	err = u.call(ctx, node, "published", asked{name, tracks}, &found)
	return found, err
}
