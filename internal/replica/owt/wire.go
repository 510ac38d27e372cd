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
	// keyProbe, with an id behind it, is heard by the manager of that id alone:
	// no manager of OWT's has it in its bindings.
	keyProbe   = keyPrefix + "probe"
	keyPattern = keyPrefix + "#"

	typeRecommend = "selfRecommend"
	typeDeclare   = "declareMaster"
	typeRequest   = "requestRuntimeData"
	typeRuntime   = "runtimeData"
	typeUpdate    = "updateData"
	typeProbe     = "probe"
)

// topicOf is where the managers of a cluster talk.
func topicOf(cluster string) string { return cluster + ".management" }

// message is what one manager tells the others.
type message struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
	// Muster is what we add; OWT's managers do not look at it, and send none.
	Muster *addition `json:"muster"`

	to      election.Role
	private bool // for one manager
}

// addition is what heart-beats, and the state that is handed on, say beyond OWT.
type addition struct {
	// Seq is how many updates the master told before, which bear no number
	// themselves. Topics keep the order, so a slave that counted otherwise has
	// missed some.
	Seq uint64 `json:"seq"`
	// Term is the master's: each takes one that is higher than all it heard of.
	Term uint64 `json:"term"`
}

// maxTerm keeps a stranger's word from making terms run over.
const maxTerm = 1 << 53

// declaration is the data of a heart-beat, and of a probe.
type declaration struct {
	ID       int64 `json:"id"`
	LifeTime int64 `json:"life_time"`
}

// address reads a key: which role is meant, and which manager if only one is.
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

// parse reads a message. It does not look into the data.
func parse(body json.RawMessage) (message, error) {
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return message{}, fmt.Errorf("not a message: %w", err)
	}
	return m, nil
}

// election reads a message of the election; ok is false for any other.
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

// electionBody writes a message of the election. more goes with heart-beats.
func electionBody(em election.Message, more addition) (key string, body json.RawMessage) {
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
	data := strconv.AppendInt([]byte(`{"id":`), em.ID, 10)
	data = strconv.AppendInt(append(data, `,"life_time":`...), em.LifeTime, 10)
	return append(data, '}')
}

// envelope writes a message; what is ours comes last.
func envelope(kind string, data []byte, more *addition) json.RawMessage {
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

// runtimeKey is where the answer to a request goes.
func runtimeKey(id int64) string { return keySlave + "." + strconv.FormatInt(id, 10) }
