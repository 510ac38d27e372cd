package bus

import (
	"errors"

	"github.com/tidwall/gjson"
)

// maxDepth is how deeply arrays and objects of a body may be nested, as in
// encoding/json. Without a limit, a body of some megabytes of [ would exhaust the
// stack, which is fatal.
const maxDepth = 10000

var (
	errMalformed = errors.New("is not well-formed JSON")
	errTooDeep   = errors.New("is nested too deeply: at most 10,000 arrays and objects within each other")
)

func checkJSON(body []byte) error {
	if tooDeep(body) {
		return errTooDeep
	}
	if !gjson.ValidBytes(body) {
		return errMalformed
	}
	return nil
}

// tooDeep skips bodies that are too short to be nested too deeply.
func tooDeep(body []byte) bool {
	if len(body) <= maxDepth {
		return false
	}
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = endOfString(body, i+1)
		case '[', '{':
			if depth++; depth > maxDepth {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

// endOfString returns the index of the closing quote of the string whose text
// begins at i.
func endOfString(body []byte, i int) int {
	for ; i < len(body) && body[i] != '"'; i++ {
		if body[i] == '\\' {
			i++
		}
	}
	return i
}
