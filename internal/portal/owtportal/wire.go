package owtportal

import (
	"encoding/json"

	"github.com/muster-fleet/muster/internal/owtsdp"
)

// What is said to clients. The names are OWT's.

type participantInfo struct {
	ID   string `json:"id"`
	User string `json:"user"`
	Role string `json:"role"`
}

type streamInfo struct {
	ID    string `json:"id"`
	Type  string `json:"type"`
	Media struct {
		Tracks []trackInfo `json:"tracks"`
	} `json:"media"`
	Info ownerInfo `json:"info"`
}

type trackInfo struct {
	ID     string         `json:"id"`
	Type   string         `json:"type"`
	Source string         `json:"source"`
	Format *owtsdp.Format `json:"format,omitempty"`
	// Optional is what a mixer or a transcoder could make of the track: nothing.
	Optional struct{} `json:"optional"`
	Status   string   `json:"status"`
	MID      string   `json:"mid,omitempty"`
}

type ownerInfo struct {
	Owner      string          `json:"owner"`
	Type       string          `json:"type"`
	InViews    []string        `json:"inViews"`
	Attributes json.RawMessage `json:"attributes"`
}

// The kinds of tracks.
const (
	audio = "audio"
	video = "video"
)

type roomInfo struct {
	ID           string            `json:"id"`
	Views        []string          `json:"views"`
	Participants []participantInfo `json:"participants"`
	Streams      []streamInfo      `json:"streams"`
}

type kinds struct {
	Video bool `json:"video"`
	Audio bool `json:"audio"`
}

type permission struct {
	Publish   kinds `json:"publish"`
	Subscribe kinds `json:"subscribe"`
}

type loginAnswer struct {
	ID         string     `json:"id"`
	User       string     `json:"user"`
	Role       string     `json:"role"`
	Permission permission `json:"permission"`
	Room       roomInfo   `json:"room"`
	Ticket     string     `json:"reconnectionTicket"`
}

type sessionAnswer struct {
	ID        string `json:"id"`
	Transport string `json:"transportId"`
}

type participantNotice struct {
	Action string `json:"action"`
	Data   any    `json:"data"`
}

type streamNotice struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Data   any    `json:"data,omitempty"`
}

type fieldValue struct {
	Field string `json:"field"`
	Value any    `json:"value"`
}

type progressNotice struct {
	ID      string `json:"id"`
	Session string `json:"sessionId,omitempty"`
	Status  string `json:"status"`
	Data    any    `json:"data,omitempty"`
}

type sdpData struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

type textNotice struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Message string `json:"message"`
}

// What clients say.

type loginRequest struct {
	Token     string `json:"token"`
	Protocol  string `json:"protocol"`
	UserAgent struct {
		SDK struct {
			Type    string `json:"type"`
			Version string `json:"version"`
		} `json:"sdk"`
	} `json:"userAgent"`
}

type transportOf struct {
	ID string `json:"id"`
}

type publishRequest struct {
	Media struct {
		Tracks []struct {
			Type   string `json:"type"`
			MID    string `json:"mid"`
			Source string `json:"source"`
		} `json:"tracks"`
	} `json:"media"`
	Attributes json.RawMessage `json:"attributes"`
	Transport  transportOf     `json:"transport"`
}

type subscribeRequest struct {
	Media struct {
		Tracks []struct {
			Type       string      `json:"type"`
			MID        string      `json:"mid"`
			From       string      `json:"from"`
			Parameters *parameters `json:"parameters"`
		} `json:"tracks"`
	} `json:"media"`
	Transport transportOf `json:"transport"`
}

type parameters struct {
	Resolution       json.RawMessage `json:"resolution"`
	Framerate        json.RawMessage `json:"framerate"`
	Bitrate          json.RawMessage `json:"bitrate"`
	KeyFrameInterval json.RawMessage `json:"keyFrameInterval"`
}

type soacRequest struct {
	ID        string  `json:"id"`
	Signaling sdpData `json:"signaling"`
}

type idRequest struct {
	ID string `json:"id"`
}

type controlRequest struct {
	ID        string          `json:"id"`
	Operation string          `json:"operation"`
	Data      json.RawMessage `json:"data"`
}

type updateOf struct {
	Audio, Video *struct {
		From       string      `json:"from"`
		Parameters *parameters `json:"parameters"`
	}
}

type textRequest struct {
	To      string `json:"to"`
	Message string `json:"message"`
}

// ticket is a reconnection ticket. Clients read notAfter; the signature is a
// token of the participant, which any portal can check.
type ticket struct {
	Participant string `json:"participantId"`
	TicketID    string `json:"ticketId"`
	NotBefore   int64  `json:"notBefore"`
	NotAfter    int64  `json:"notAfter"`
	Signature   string `json:"signature"`
}
