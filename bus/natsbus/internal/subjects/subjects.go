// Package subjects makes any text one token of a NATS subject.
package subjects

import (
	"errors"
	"strings"
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

// AppendToken appends the text as one token of a subject.
func AppendToken(dst []byte, text string) []byte {
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

// Token is the text as one token.
func Token(text string) string { return string(AppendToken(nil, text)) }

// Text is the reverse of Token.
func Text(token string) (string, error) {
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
