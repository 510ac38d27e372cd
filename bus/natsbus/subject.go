package natsbus

import (
	"errors"
	"fmt"
	"strings"
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
	maxSubject = 1024
)

const upperHex = "0123456789ABCDEF"

// plain reports whether a byte stands for itself in a token.
func plain(b byte) bool {
	switch b {
	case '.', '*', '>', '%', '$':
		return false
	}
	return b > ' ' && b < 0x7f
}

// appendToken appends the text as one token of a subject.
func appendToken(dst []byte, text string) []byte {
	if text == "" {
		return append(dst, '%')
	}
	for i := range len(text) {
		if b := text[i]; plain(b) {
			dst = append(dst, b)
		} else {
			dst = append(dst, '%', upperHex[b>>4], upperHex[b&15])
		}
	}
	return dst
}

// decodeToken is the reverse of appendToken.
func decodeToken(token string) (string, error) {
	if token == "%" {
		return "", nil
	}
	if !strings.Contains(token, "%") {
		return token, nil
	}
	out := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		if token[i] != '%' {
			out = append(out, token[i])
			continue
		}
		if i+2 >= len(token) {
			return "", errors.New("a token ends within an escape")
		}
		high, low := strings.IndexByte(upperHex, token[i+1]), strings.IndexByte(upperHex, token[i+2])
		if high < 0 || low < 0 {
			return "", errors.New("a token has a bad escape")
		}
		out = append(out, byte(high<<4|low))
		i += 2
	}
	return string(out), nil
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
