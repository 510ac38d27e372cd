package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

// RoomPath names a room.
type RoomPath struct {
	Room string `path:"room" minLength:"1" maxLength:"255"`
}

// RoomTokenOrder asks for a token.
type RoomTokenOrder struct {
	User   string `json:"user" minLength:"1" maxLength:"255" example:"alice"`
	Role   string `json:"role,omitempty" enum:"presenter,viewer" default:"presenter" doc:"A presenter sends and receives, a viewer receives only."`
	LifeMs int64  `json:"life_ms,omitempty" minimum:"1000" maximum:"31536000000" default:"43200000" doc:"How long the token can be used. It cannot be revoked before."`
	OWT    string `json:"owt,omitempty" maxLength:"1024" doc:"URL of a portal: makes a token for clients of OWT, which find the portal in it."`
}

// RoomToken is a token to enter a room.
type RoomToken struct {
	Room  string `json:"room"`
	User  string `json:"user"`
	Role  string `json:"role" enum:"presenter,viewer"`
	Until int64  `json:"until" doc:"When it expires."`
	Token string `json:"token"`
}

// rooms are the operations on rooms.
func (a *api) rooms() {
	op := operation("make-room-token", http.MethodPost, "/v1/rooms/{room}/tokens", "Rooms", "Make a token that lets its holder into a room", Caller)
	op.Description = "The token is signed with rooms.key, as `muster token` does, and every portal checks it with that. " +
		"501 with code unsupported says that this server has no key. " + op.Description
	register(a, op, a.makeRoomToken)
}

func (a *api) makeRoomToken(_ context.Context, in *struct {
	RoomPath
	Body RoomTokenOrder
}) (RoomToken, error) {
	if a.s.opts.RoomKey == nil {
		return RoomToken{}, newProblem(http.StatusNotImplemented, "unsupported", "this server makes no tokens of rooms")
	}
	key, err := a.s.opts.RoomKey()
	if err != nil {
		return RoomToken{}, newProblem(http.StatusNotImplemented, "unsupported", err.Error())
	}
	claims := roomtoken.Claims{Room: in.Room, User: in.Body.User, Role: room.Role(in.Body.Role)}
	if err := room.CheckName("room", claims.Room); err != nil {
		return RoomToken{}, wrongField("path.room", strings.TrimPrefix(err.Error(), "room: "), claims.Room)
	}
	if err := room.CheckName("user", claims.User); err != nil {
		return RoomToken{}, wrongField("body.user", strings.TrimPrefix(err.Error(), "room: "), claims.User)
	}
	until := time.Now().Add(time.Duration(in.Body.LifeMs) * time.Millisecond)
	token, err := key.Sign(claims, until)
	if err == nil && in.Body.OWT != "" {
		if token, err = roomtoken.OWT(token, in.Body.OWT); err != nil {
			err = wrongField("body.owt", strings.TrimPrefix(err.Error(), "roomtoken: "), in.Body.OWT)
		}
	}
	return RoomToken{claims.Room, claims.User, string(claims.Role), until.UnixMilli(), token}, err
}
