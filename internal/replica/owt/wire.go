package owt

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/muster-fleet/muster/internal/replica/owt/election"
)

// The keys of the topic, and the types of the messages.
const (
	keyPrefix    = "clusterManager."
	keyCandidate = keyPrefix + "candidate"
	keyMaster    = keyPrefix + "master"
	keySlave     = keyPrefix + "slave"
	// keyProbe, followed by an id, reaches only the manager of that id: OWT's
	// managers do not bind it.
	keyProbe   = keyPrefix + "probe"
	keyPattern = keyPrefix + "#"

	typeRecommend = "selfRecommend"
	typeDeclare   = "declareMaster"
	typeRequest   = "requestRuntimeData"
	typeRuntime   = "runtimeData"
	typeUpdate    = "updateData"
	typeProbe     = "probe"
)

// topicOf returns the topic of a cluster's managers.
func topicOf(cluster string) string { return cluster + ".management" }

// message is a message between managers.
type message struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
	// Muster is our extension. OWT's managers ignore it, and send none.
	Muster *extension `json:"muster"`

	to      election.Role
	private bool // for this manager only
}

// extension is what our heart-beats and runtimeData messages carry beyond OWT's.
type extension struct {
	// Seq is how many updates the master has sent so far; the updates themselves
	// are not numbered. Topics keep the order, so a slave with another count has
	// missed some.
	Seq uint64 `json:"seq"`
	// Term is the master's term: each takes one above all that it has seen.
	Term uint64 `json:"term"`
}

// maxTerm bounds the terms of other managers, so that none makes ours overflow.
const maxTerm = 1 << 53

// declaration is the data of a heart-beat, and of a probe.
type declaration struct {
	ID       int64 `json:"id"`
	LifeTime int64 `json:"life_time"`
}

// address parses a key into the role, and the id of the manager if it addresses
// a single one.
func address(key string) (to election.Role, id string, ok bool) {
	rest, ok := strings.CutPrefix(key, keyPrefix)
	if !ok {
		return 0, "", false
	}
	word, id, _ := strings.Cut(rest, ".")
	switch keyPrefix + word {
	case keyCandidate:
		return election.Candidate, id, true
	case keyMaster:
		return election.Master, id, true
	case keySlave:
		return election.Slave, id, true
	case keyProbe:
		return election.Master, id, id != ""
	}
	return 0, "", false
}

// parse parses a message, but not its data.
func parse(body json.RawMessage) (message, error) {
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return message{}, fmt.Errorf("not a message: %w", err)
	}
	return m, nil
}

// election parses a message of the election; ok is false for any other.
func (m *message) election() (em election.Message, ok bool, err error) {
	em.To = m.to
	switch m.Type {
	case typeRecommend:
		em.Kind = election.SelfRecommend
		err = json.Unmarshal(m.Data, &em.ID)
	case typeDeclare, typeProbe:
		em.Kind = election.DeclareMaster
		if m.Type == typeProbe {
			em.Kind = election.Probe
		}
		var d declaration
		err = json.Unmarshal(m.Data, &d)
		em.ID, em.LifeTime = d.ID, d.LifeTime
	default:
		return em, false, nil
	}
	if err == nil && (em.ID < 0 || em.LifeTime < 0) {
		err = fmt.Errorf("id %d, life_time %d: neither can be negative", em.ID, em.LifeTime)
	}
	if err != nil {
		return em, true, fmt.Errorf("%s: %w", m.Type, err)
	}
	return em, true, nil
}

// electionBody returns the key and body of a message of the election. more is
// part of heart-beats only.
func electionBody(em election.Message, more extension) (key string, body json.RawMessage) {
	switch em.Kind {
	case election.SelfRecommend:
		return keyCandidate, envelope(typeRecommend, strconv.AppendInt(nil, em.ID, 10), nil)
	case election.Probe:
		return keyProbe + "." + strconv.FormatInt(em.ID, 10), envelope(typeProbe, declarationData(em), nil)
	}
	key = [...]string{election.Candidate: keyCandidate, election.Master: keyMaster, election.Slave: keySlave}[em.To]
	return key, envelope(typeDeclare, declarationData(em), &more)
}

func declarationData(em election.Message) []byte {
	return object{}.number("id", em.ID).number("life_time", em.LifeTime).end()
}

// envelope returns the body of a message, with our extension last.
func envelope(kind string, data []byte, more *extension) json.RawMessage {
	body := make([]byte, 0, len(data)+64)
	body = append(append(append(body, `{"type":"`...), kind...), `","data":`...)
	body = append(body, data...)
	if more != nil {
		body = strconv.AppendUint(append(body, `,"muster":{"seq":`...), more.Seq, 10)
		body = append(strconv.AppendUint(append(body, `,"term":`...), more.Term, 10), '}')
	}
	return append(body, '}')
}

func requestBody(id int64) json.RawMessage {
	return envelope(typeRequest, strconv.AppendInt(nil, id, 10), nil)
}

// runtimeKey returns the key of the answer to a manager's request for the state.
func runtimeKey(id int64) string { return keySlave + "." + strconv.FormatInt(id, 10) }
