package portal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/pion/sdp/v3"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

// WHIP is RFC 9725, WHEP draft-ietf-wish-whep-03: an offer by POST, its answer,
// and a resource that DELETE ends. There is neither trickle ICE nor an ICE
// restart, so that PATCH is refused (405), as the RFC has it. A client whose SFU
// is lost has to POST again, as the RFC has it too.

const sdpType = "application/sdp"

func (p *Portal) endpoint(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		allowAny(w)
		claims, ok := p.entering(w, r)
		if !ok {
			return
		}
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != sdpType {
			http.Error(w, "the offer must be "+sdpType, http.StatusUnsupportedMediaType)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
		if err != nil {
			http.Error(w, "the offer is too large", http.StatusRequestEntityTooLarge)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), p.opts.OfferTime)
		defer cancel()
		m, answer, err := p.admit(ctx, kind, claims, string(body), r.URL.Query().Get("from"))
		if err != nil {
			refuse(w, err)
			return
		}
		m.hall.mu.Lock()
		linkICE(w, m.iceServers(m.sees(m.hall.state).Part))
		m.hall.mu.Unlock()
		w.Header().Set("Location", "/"+kind+"/"+r.PathValue("room")+"/"+m.id)
		w.Header().Set("Content-Type", sdpType)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, answer)
	}
}

// linkICE names servers of TURN as RFC 9725 has it (section 4.6).
func linkICE(w http.ResponseWriter, servers []iceServer) {
	for _, s := range servers {
		for _, url := range s.URLs {
			w.Header().Add("Link", fmt.Sprintf("<%s>; rel=\"ice-server\"; username=%q; credential=%q; credential-type=\"password\"", url, s.Username, s.Credential))
		}
	}
}

// bearer checks who asks.
func (p *Portal) bearer(w http.ResponseWriter, r *http.Request) (roomtoken.Claims, bool) {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	claims, err := p.opts.Key.Open(token, time.Now())
	if !found {
		err = errors.New("give the token as Authorization: Bearer TOKEN")
	}
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return claims, false
	}
	return claims, true
}

// entering checks who asks for the room in the path.
func (p *Portal) entering(w http.ResponseWriter, r *http.Request) (roomtoken.Claims, bool) {
	claims, ok := p.bearer(w, r)
	if ok && claims.Room != r.PathValue("room") {
		http.Error(w, "the token is for another room", http.StatusForbidden)
		ok = false
	}
	return claims, ok
}

// errNoSender is the refusal of WHEP in a room without a matching publisher.
var errNoSender = errors.New("no participant sends in this room, or not the one in from: try again later")

func refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, errViewer):
		status = http.StatusForbidden
	case errors.Is(err, errNoSender):
		status = http.StatusNotFound
	case errors.Is(err, errNoSFU), errors.Is(err, errNoAnswer), errors.Is(err, errEnding), errors.Is(err, room.ErrFull):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, err.Error(), status)
}

// admit makes a participant of an offer.
func (p *Portal) admit(ctx context.Context, kind string, claims roomtoken.Claims, offer, from string) (m *member, answer string, err error) {
	sections, err := sectionsOf(offer)
	if err != nil {
		return nil, "", err
	}
	h, err := p.hall(claims.Room)
	if err != nil {
		return nil, "", err
	}
	m = newMember(h, claims, newID(), 1)
	m.only = m.id + "." + kind
	if kind == "whep" {
		m.role = room.Viewer
	} else {
		err = m.publish(tracksOf(sections))
	}
	if err == nil {
		err = h.enter(m)
	}
	if err != nil {
		p.leave(h)
		return nil, "", err
	}
	answer, err = p.connect(ctx, m, kind, offer, from, sections)
	if err != nil {
		m.leave()
		return nil, "", err
	}
	p.resources.Store(m.id, m)
	return m, answer, nil
}

func (p *Portal) connect(ctx context.Context, m *member, kind, offer, from string, sections map[string]string) (string, error) {
	node, err := m.hall.node(ctx, m)
	if err != nil {
		return "", err
	}
	said := mediaSaid{Session: kind, SDP: offer}
	if kind == "whip" {
		said.Publish = sections
	} else if said.Want, err = m.hall.wanted(sections, from); err != nil {
		return "", err
	}
	return m.offer(ctx, node, said)
}

// tracksOf are the tracks that are sent in these sections.
func tracksOf(sections map[string]string) []trackSaid {
	var out []trackSaid
	for _, source := range sections {
		out = append(out, trackSaid{Source: source})
	}
	return out
}

// sectionsOf are the media sections of an offer, each the first of its kind: by mid,
// the source of what is sent there.
func sectionsOf(offer string) (map[string]string, error) {
	var parsed sdp.SessionDescription
	if err := parsed.UnmarshalString(offer); err != nil {
		return nil, errors.New("the offer is no SDP")
	}
	byMid, seen := map[string]string{}, map[string]bool{}
	for _, m := range parsed.MediaDescriptions {
		source := map[string]string{"audio": "mic", "video": "camera"}[m.MediaName.Media]
		if mid, ok := m.Attribute("mid"); ok && source != "" && !seen[source] {
			seen[source] = true
			byMid[mid] = source
		}
	}
	if len(byMid) == 0 {
		return nil, errors.New("the offer has no audio and no video section with a mid")
	}
	return byMid, nil
}

// wanted are the tracks of a participant that sends: the one of that name or id, else
// the first.
func (h *hall) wanted(sections map[string]string, from string) (map[string]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.state.Participants {
		if len(p.Tracks) == 0 || from != "" && p.ID != from && p.User != from {
			continue
		}
		want := map[string]string{}
		for mid, source := range sections {
			want[mid] = p.ID + "." + source
		}
		return want, nil
	}
	return nil, errNoSender
}

// endResource ends a client of WHIP or WHEP. Only who has a token of the same
// room and user may.
func (p *Portal) endResource(w http.ResponseWriter, r *http.Request) {
	allowAny(w)
	claims, ok := p.bearer(w, r)
	if !ok {
		return
	}
	found, _ := p.resources.Load(r.PathValue("id"))
	m, is := found.(*member)
	if !is || m.hall.name != claims.Room || m.user != claims.User || !p.resources.CompareAndDelete(m.id, m) {
		http.Error(w, "no such session", http.StatusNotFound)
		return
	}
	m.leave()
	w.WriteHeader(http.StatusOK)
}

// options says what the endpoints take; and to who has a token, the servers of
// TURN of all SFUs of the room that the portal knows: the client will be at one of
// them.
func (p *Portal) options(w http.ResponseWriter, r *http.Request) {
	allowAny(w)
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if claims, err := p.opts.Key.Open(token, time.Now()); err == nil && claims.Room == r.PathValue("room") {
		linkICE(w, p.iceServers(claims))
	}
	w.Header().Set("Accept-Post", sdpType)
	w.Header().Set("Access-Control-Allow-Methods", "POST, DELETE, OPTIONS")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	w.WriteHeader(http.StatusNoContent)
}

// iceServers are those of a room that has clients at this portal.
func (p *Portal) iceServers(c roomtoken.Claims) []iceServer {
	p.mu.Lock()
	h := p.halls[c.Room]
	p.mu.Unlock()
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return newMember(h, c, newID(), 0).iceServers(h.state.Parts...)
}

// allowAny lets pages of any origin ask: who has a token may.
func allowAny(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "Location, Link")
}
