package room

import (
	"encoding/json"
	"hash/fnv"
	"strconv"
)

// Routes say where what people publish arrives, for SFUs that serve another part
// of the room.
type Routes struct {
	Room  string  `json:"room"`
	Parts []Route `json:"parts"`
}

// Route is that of the people of a part: to its SFU, and then to the one that they
// are leaving.
type Route struct {
	Nodes  []string `json:"nodes"`
	People []string `json:"people"`
}

// Sum tells routes apart.
func (r Routes) Sum() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings can be encoded
	}
	h := fnv.New64a()
	_, _ = h.Write(text) // never fails
	return strconv.FormatUint(h.Sum64(), 36)
}

// Routes are those of the room; they stay the same while no participant moves.
func (s State) Routes() Routes {
	out := Routes{Room: s.Name, Parts: []Route{}}
	for _, part := range s.Parts {
		var r Route
		for _, node := range []string{part.Node, part.Former.Node} {
			if node != "" {
				r.Nodes = append(r.Nodes, node)
			}
		}
		for _, p := range s.Participants {
			if p.Part == part.ID {
				r.People = append(r.People, p.ID)
			}
		}
		if len(r.Nodes) > 0 && len(r.People) > 0 {
			out.Parts = append(out.Parts, r)
		}
	}
	return out
}

// Ping asks an SFU whether it lives, and says what it may not know: the routes of
// the room are Sum, and Routes where the SFU did not have them at the last ping.
type Ping struct {
	Room   string  `json:"room"`
	Sum    string  `json:"sum"`
	Routes *Routes `json:"routes,omitempty"`
}

// Health is the answer to a ping.
type Health struct {
	Sessions int `json:"sessions"`
	Tracks   int `json:"tracks"`
	// Sum is that of the routes that the SFU has of the room.
	Sum string `json:"sum,omitempty"`
	// Share and Person are how much of its limits the SFU uses, as in Measured.
	Share  float64 `json:"share"`
	Person float64 `json:"person"`
}
