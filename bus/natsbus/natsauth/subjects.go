package natsauth

import (
	"strings"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/internal/subjects"
)

// The subjects of users.
const (
	requestPrefix = "muster.as."
	replyPrefix   = "muster.reply."
	anySender     = "*.*."
)

// RequestSubject is where a sender's requests to a server go.
func RequestSubject(from bus.Identity, server string) string {
	return requestPrefix + sender(from) + serverTokens(server)
}

// ServeSubject is the subject of all requests to a server, from any sender.
func ServeSubject(server string) string { return requestPrefix + anySender + serverTokens(server) }

// ReplyPrefix is how the subjects begin to which answers to a sender go.
func ReplyPrefix(of bus.Identity) string { return replyPrefix + sender(of) }

func sender(of bus.Identity) string { return string(of.Role) + "." + subjects.Token(of.Name) + "." }

// SenderOf returns the sender that the subject of a request names, and how the
// subjects for answers to it begin.
func SenderOf(subject string) (from bus.Identity, replyTo string, ok bool) {
	rest, ok := strings.CutPrefix(subject, requestPrefix)
	role, rest, found := strings.Cut(rest, ".")
	name, _, found2 := strings.Cut(rest, ".")
	if !ok || !found || !found2 {
		return from, "", false
	}
	text, err := subjects.Text(name)
	from = bus.Identity{Role: bus.Role(role), Name: text}
	return from, replyPrefix + role + "." + name + ".", err == nil
}

// serverTokens are a server's name: one token, or two for a node, so that one pattern
// stands for all nodes of an agent.
func serverTokens(server string) string {
	if host, number, ok := splitNode(server); ok {
		return subjects.Token(host) + "." + number
	}
	return subjects.Token(server)
}

// splitNode splits the name of a node, AGENT_NUMBER.
func splitNode(name string) (agent, number string, ok bool) {
	at := strings.LastIndexByte(name, '_')
	if at <= 0 || at == len(name)-1 || strings.Trim(name[at+1:], "0123456789") != "" {
		return "", "", false
	}
	return name[:at], name[at+1:], true
}

// Allowed are the subjects to which a user may publish and subscribe. A user that serves
// may also answer the requests that it gets.
type Allowed struct {
	Publish, Subscribe []string
	// Answers lets the user answer requests.
	Answers bool
}

// batchTopic says which batches of tasks wait for workers.
const batchTopic = "muster.topic." + bus.TopicBatches + ".waiting.$"

// topics are the notices that each role may publish, beside its requests.
var workerTopics = []string{
	"muster.topic." + bus.TopicMonitoring + ".exit.abnormal.$",
	"muster.topic." + bus.TopicTasks + ".>",
	"muster.topic.musterRooms.>",
}

// A request may be answered by several messages, for so long. The server remembers
// where each answer may go for that time.
const (
	AnswersEach = 10_000
	AnswerTime  = 15 * time.Minute
)

// AllowedTo returns what a user may do on the queue of a cluster.
func AllowedTo(who bus.Identity, cluster string) Allowed {
	if who.Role == bus.RoleManager {
		return Allowed{Publish: []string{"muster.>"}, Subscribe: []string{"muster.>"}}
	}
	a := Allowed{
		Publish:   []string{requestPrefix + sender(who) + ">"},
		Subscribe: []string{ReplyPrefix(who) + ">", "muster.topic.>"},
	}
	switch who.Role {
	case bus.RoleViewer:
		a.Publish = []string{RequestSubject(who, cluster)} // workers and nodes know no viewers
	case bus.RoleCaller, bus.RoleOperator, bus.RoleAdmin:
		a.Publish = append(a.Publish, batchTopic)
	case bus.RoleWorker:
		a.Publish = append(append(a.Publish, workerTopics...), batchTopic)
		a.Subscribe = append(a.Subscribe, ServeSubject(who.Name), requestPrefix+anySender+subjects.Token(who.Name)+".*")
		a.Answers = true
	}
	return a
}
