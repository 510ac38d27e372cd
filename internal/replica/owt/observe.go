package owt

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muster-fleet/muster/bus"
)

// Protocol is a protocol between managers on their cluster's topic.
type Protocol int

// The protocols. Election is that of OWT 4.2 to 5.1, and of Muster's managers
// with replica = "owt". Votes is the one of OWT's master branch, a Raft of its
// own: it has requestVote, heartbeart (spelt so) and appendEntry messages.
const (
	Election Protocol = 1 + iota
	Votes
)

func (p Protocol) String() string {
	if p == Votes {
		return "OWT's master branch"
	}
	return "OWT 4.2 to 5.1"
}

// protocolOf returns the protocol that a type of message belongs to, or 0 if the
// type is unknown. A slave's request for the state is left out, because it does
// not prove that a master is alive.
func protocolOf(kind string) Protocol {
	switch kind {
	case typeRecommend, typeDeclare, typeRuntime, typeUpdate:
		return Election
	case "requestVote", "responseVote", "heartbeart", "appendEntry", "installSnapshot":
		return Votes
	}
	return 0
}

// Observe listens to the managers of a cluster, and sends nothing. heard is called
// for every message of a known protocol, one at a time; it must not block.
func Observe(ctx context.Context, conn bus.Conn, cluster string, heard func(Protocol)) (bus.Subscription, error) {
	sub, err := conn.Subscribe(ctx, topicOf(cluster), keyPattern, func(_ string, body json.RawMessage) {
		var m struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(body, &m) == nil && protocolOf(m.Type) != 0 {
			heard(protocolOf(m.Type))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("owt: listening to the managers of %s: %w", cluster, err)
	}
	return sub, nil
}
