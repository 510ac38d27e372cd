package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

// upRooms is what up runs for rooms, beside the SFU: a conference and a portal.
type upRooms struct {
	// portal is the address of --portal; "" is no rooms.
	portal string
	secret string
	key    roomtoken.Key
}

// offersRooms reports whether there are rooms.
func (u *up) offersRooms() bool { return u.rooms.portal != "" && u.media && u.workers > 0 }

// prepareRooms finds an address for the portal, and the key of tokens.
func (u *up) prepareRooms(h *managerProcess) error {
	if !u.offersRooms() {
		return nil
	}
	addr, err := freeLike(u.rooms.portal)
	if err != nil {
		return err
	}
	u.rooms.portal = addr
	u.rooms.key, err = roomKey(h.cfg)
	if err != nil { // no directory for a secret: one for this run
		u.rooms.secret = randomSecret()
		u.rooms.key, err = roomtoken.NewKey([]byte(u.rooms.secret))
	}
	return err
}

// freeLike is the address, or one with another port where that is taken.
func freeLike(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("--portal: %w", err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil && port != "0" {
		l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return "", fmt.Errorf("--portal: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// roomAgent is the command line of an agent whose one node serves all rooms.
func (u *up) roomAgent(h *managerProcess, purpose string, node ...string) (childSpec, error) {
	this, err := os.Executable()
	if err != nil {
		return childSpec{}, fmt.Errorf("find this program: %w", err)
	}
	id := newWorkerID(purpose)
	args := []string{"agent", "--purpose", purpose, "--id", id, "--max-nodes", "1", "--prerun", "1", "--per", "room", "--reuse",
		"--notify", "--watchdog", mediaWatchdog.String(), "--drain-time", "0s", "--grace", (stopTime / 2).String(),
		"--max-load", strconv.FormatFloat(u.maxLoad, 'g', -1, 64), "--label", room.LabelSFU + "=" + id}
	args = append(args, u.commonArgs(h)...)
	args = append(args, u.loadArgs("agent")...)
	args = append(args, "--", this)
	args = append(args, node...)
	args = append(args, "--log-level", u.logs.level.String(), "--log-format", u.logs.format)
	return childSpec{name: id, purpose: purpose, args: args}, nil
}

// sfuSpec is the command line of a worker that forwards media.
func (u *up) sfuSpec(h *managerProcess) (childSpec, error) {
	host, _, err := net.SplitHostPort(u.rooms.portal)
	if err != nil {
		return childSpec{}, err
	}
	return u.roomAgent(h, room.PurposeSFU, "sfu", "--listen", net.JoinHostPort(host, "0"))
}

// roomSpecs are the command lines of the conference and the portal.
func (u *up) roomSpecs(h *managerProcess) ([]childSpec, error) {
	if !u.offersRooms() {
		return nil, nil
	}
	conference, err := u.roomAgent(h, room.PurposeConference, "conference", "--cluster", h.cfg.Manager.Name)
	if err != nil {
		return nil, err
	}
	id := newWorkerID(room.PurposePortal)
	args := append([]string{"portal", "--id", id, "--listen", u.rooms.portal}, u.commonArgs(h)...)
	door := childSpec{name: id, purpose: room.PurposePortal, args: args}
	if u.rooms.secret != "" {
		door.env = []string{"MUSTER_ROOMS_KEY=" + u.rooms.secret}
	}
	return []childSpec{conference, door}, nil
}

// upRoom is the room of the link that up prints.
const upRoom = "lobby"

// roomLinks are links to a room, for two people.
func (u *up) roomLinks() []string {
	if !u.offersRooms() {
		return nil
	}
	var out []string
	for _, user := range []string{"alice", "bob"} {
		token, err := u.rooms.key.Sign(roomtoken.Claims{Room: upRoom, User: user, Role: room.Presenter}, time.Now().Add(roomtoken.DefaultLife))
		if err != nil {
			continue // these names are good
		}
		out = append(out, roomLink("http://"+u.rooms.portal, upRoom, token))
	}
	return out
}
