package owtnode

import (
	"fmt"

	"github.com/muster-fleet/muster/internal/owtsdp"
)

// What is said to conferences. The names are OWT's.

// progress is the second argument of onTransportProgress.
type progress struct {
	Type   string `json:"type"`
	SDP    string `json:"sdp,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// trackUpdate is the second argument of onTrackUpdate.
type trackUpdate struct {
	Type string `json:"type"`
	*trackAdded
	Track   string `json:"trackId,omitempty"`
	Session string `json:"operationId,omitempty"`
}

// trackAdded are the members of a trackUpdate of type track-added.
type trackAdded struct {
	Kind      string         `json:"mediaType"`
	Format    *owtsdp.Format `json:"mediaFormat"`
	Direction string         `json:"direction"`
	MID       string         `json:"mid"`
	RID       string         `json:"rid,omitempty"`
	Active    bool           `json:"active"`
}

// mediaUpdate is the last argument of onMediaUpdate.
type mediaUpdate struct {
	Video struct {
		Parameters struct {
			Resolution resolution `json:"resolution"`
		} `json:"parameters"`
	} `json:"video"`
}

type resolution struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

// refusal is an error in OWT's words, which are not those of Go's errors.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// failure is a refusal that OWT's nodes give as an answer, not as an error.
type failure struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// address is where a node's media can be had.
type address struct {
	IP   string `json:"ip,omitempty"`
	Port int    `json:"port,omitempty"`
}

// source is a track, and the node that has it.
type source struct {
	ID string `json:"id"`
	address
}

// options are the third argument of publish and subscribe.
type options struct {
	Transport  string         `json:"transportId"`
	Tracks     []trackOptions `json:"tracks"`
	Controller string         `json:"controller"`
	Owner      string         `json:"owner"`
}

type trackOptions struct {
	Kind       string            `json:"type"`
	MID        string            `json:"mid"`
	Source     string            `json:"source"`
	Preference owtsdp.Preference `json:"formatPreference"`
}

// signaling is the second argument of onTransportSignaling.
type signaling struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}
