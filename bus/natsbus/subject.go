package natsbus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/internal/subjects"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
)

const (
	rpcPrefix   = "muster.rpc."
	topicPrefix = "muster.topic."
	replyPrefix = "muster.reply."
	queueGroup  = "muster"
	// endToken follows the last word of a key. No word is encoded like it.
	endToken = "$"
	// maxSubject keeps a subject, and the reply subject beside it, within the
	// 4,096 bytes that a NATS server takes as a line.
	maxSubject     = 1024
	maxLongSubject = 1800
)

// appendToken appends the text as one token of a subject.
func appendToken(dst []byte, text string) []byte { return subjects.AppendToken(dst, text) }

// decodeToken is the reverse of appendToken.
func decodeToken(text string) (string, error) { return subjects.Text(text) }

// requestSubject is where this Conn's requests to a server go.
func (c *Conn) requestSubject(server string) (string, error) {
	if c.self == (bus.Identity{}) {
		return rpcSubject(server)
	}
	return checkedLong(natsauth.RequestSubject(c.self, server))
}

// serveSubject is where this Conn hears the requests to a server.
func (c *Conn) serveSubject(server string) (string, error) {
	if c.self == (bus.Identity{}) {
		return rpcSubject(server)
	}
	return checkedLong(natsauth.ServeSubject(server))
}

// checkedLong bounds a subject that names its sender, too.
func checkedLong(subject string) (string, error) {
	if len(subject) > maxLongSubject {
		return "", fmt.Errorf("names of sender and server are too long: %d bytes as a NATS subject, at most %d", len(subject), maxLongSubject)
	}
	return subject, nil
}

// rpcSubject is where the requests to a server go.
func rpcSubject(server string) (string, error) {
	var room [128]byte
	return checked(appendToken(append(room[:0], rpcPrefix...), server), "server name")
}

// noticeSubject is where the notices of a topic with a key go.
func noticeSubject(topic, key string) (string, error) {
	var room [128]byte
	dst := append(appendToken(append(room[:0], topicPrefix...), topic), '.')
	if key != "" {
		for word := range strings.SplitSeq(key, ".") {
			dst = append(appendToken(dst, word), '.')
		}
	}
	return checked(append(dst, endToken...), "topic and key")
}

// patternSubject is what a subscription to a topic with a pattern hears.
func patternSubject(topic, pattern string) (string, error) {
	dst := append(appendToken([]byte(topicPrefix), topic), '.')
	if pattern == "" {
		return checked(append(dst, endToken...), "topic")
	}
	words := strings.Split(pattern, ".")
	for i, word := range words {
		switch {
		case word == "*":
			dst = append(dst, "*."...)
		case word == "#" && i < len(words)-1:
			return "", fmt.Errorf("pattern %q: # may only be its last word", pattern)
		case word == "#":
			return checked(append(dst, '>'), "topic and pattern")
		default:
			dst = append(appendToken(dst, word), '.')
		}
	}
	return checked(append(dst, endToken...), "topic and pattern")
}

// keyOf is the key of a notice's subject. prefix is how many bytes its topic
// takes.
func keyOf(subject string, prefix int) (string, error) {
	rest, ok := strings.CutSuffix(subject[prefix:], endToken)
	if !ok {
		return "", errors.New("the subject has no end token")
	}
	rest = strings.TrimSuffix(rest, ".")
	if !strings.Contains(rest, "%") {
		return rest, nil
	}
	words := strings.Split(rest, ".")
	for i, token := range words {
		word, err := decodeToken(token)
		if err != nil {
			return "", err
		}
		words[i] = word
	}
	return strings.Join(words, "."), nil
}

// topicLength is how many bytes of a notice's subject come before its key.
func topicLength(topic string) int {
	return len(appendToken([]byte(topicPrefix), topic)) + 1
}

func checked(subject []byte, what string) (string, error) {
	if len(subject) > maxSubject {
		return "", fmt.Errorf("%s is too long: %d bytes as a NATS subject, at most %d", what, len(subject), maxSubject)
	}
	return string(subject), nil
}
