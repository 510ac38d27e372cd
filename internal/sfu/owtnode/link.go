package owtnode

import (
	"fmt"
	"slices"
)

// linkup has a subscription's track get what a source sends. The caller has
// locked n.
func (n *Node) linkup(id string, from map[string]source) error {
	to := n.tracks[id]
	if to == nil || to.section.Sends {
		return refuse("Subscription does not exist:%s", id)
	}
	if to.section.format == nil {
		return fmt.Errorf("%s has no codec: its client offered none that its subscription may have", id)
	}
	for _, kind := range []string{"audio", "video", "data"} {
		if wanted, given := from[kind]; given && wanted.ID != "" {
			found, err := n.find(kind, wanted, to)
			if err != nil {
				return err
			}
			to.section.from = found
		}
	}
	return n.change(to.section)
}

// find finds the source that a track is to get. The caller has locked n.
func (n *Node) find(kind string, wanted source, to *track) (*track, error) {
	found := n.tracks[wanted.ID]
	switch here := n.address(); {
	case kind != to.section.Kind:
		return nil, fmt.Errorf("%s carries %s, not %s", to.id, to.section.Kind, kind)
	case found != nil && found.section.Sends && found.section.Kind == kind && found.section.transport.controller == to.section.transport.controller:
		return found, nil
	case found == nil && wanted.IP != "" && wanted.address != here:
		return nil, fmt.Errorf("%s is at another node (%s:%d), and this one (%s:%d) takes no media from others: have one webrtc node serve the room",
			wanted.ID, wanted.IP, wanted.Port, here.IP, here.Port)
	}
	return nil, refuse("Invalid remote from:%s, %s", kind, wanted.ID)
}

// cutoff ends what linkup began: at a subscription's track, or at all that get a
// source. The caller has locked n.
func (n *Node) cutoff(id string) error {
	t := n.tracks[id]
	if t == nil {
		return noConnection(id)
	}
	n.cut(t)
	return nil
}

// cut ends the linkups from a track, or the one to it. The caller has locked n.
func (n *Node) cut(t *track) {
	for _, other := range n.tracks {
		if s := other.section; s.from != nil && (other == t || s.from == t) {
			s.from = nil
			if err := n.change(s); err != nil {
				n.log.Debug("linkup ended at a transport that is gone", "track", other.id, "err", err)
			}
		}
	}
}

// mediaOnOff stops tracks of a session, or lets them go on. Those of others are
// passed over, as unknown ones are. The caller has locked n.
func (n *Node) mediaOnOff(id string, tracks []string, direction, action string) error {
	s := n.sessions[id]
	if s == nil {
		return noConnection(id)
	}
	var changed []*section
	for _, id := range tracks {
		t := n.tracks[id]
		if t == nil || t.section.Session != s.id {
			continue
		}
		if t.section.Sends != (direction == "in") {
			return refuse("No track found")
		}
		t.off = action == "off"
		changed = append(changed, t.section)
	}
	return n.change(changed...)
}

// createQualitySwitch makes a source of several encodings of one section, of which
// each subscriber gets what its line carries. The caller has locked n.
func (n *Node) createQualitySwitch(sources []source) (id string, err error) {
	var of *section
	for _, s := range sources {
		t := n.tracks[s.ID]
		if t == nil || !t.section.Sends || of != nil && t.section != of {
			return "", fmt.Errorf("a switch is among the encodings of one track of this node, which %s is not", s.ID)
		}
		of = t.section
	}
	if of == nil {
		return "", fmt.Errorf("a switch needs a source")
	}
	n.names++
	id = fmt.Sprintf("%s-switch%d", of.id(), n.names)
	n.tracks[id] = &track{id: id, section: of}
	return id, nil
}

// createLayerStreams is refused: a stream of several layers is forwarded whole.
// The caller has locked n.
func (n *Node) createLayerStreams(id string) error {
	if t := n.tracks[id]; t == nil || !t.section.Sends || !slices.Contains(t.section.tracks, t) {
		return refuse("Stream does NOT exist: %s", id)
	}
	return fmt.Errorf("%s is forwarded with all its layers: this node takes none out of a stream", id)
}
