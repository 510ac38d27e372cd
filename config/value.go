package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// shape is the type of a value in the file.
type shape string

const (
	shapeString shape = "a string"
	shapeInt    shape = "a whole number"
	shapeFloat  shape = "a number with a fraction"
	shapeBool   shape = "true or false"
	shapeDate   shape = "a date or time"
	shapeArray  shape = "an array"
	shapeTable  shape = "a table"
	// shapeWord is a flag or a variable, which may be any of the others.
	shapeWord shape = "a word"
)

// value is the unparsed value of a key.
type value struct {
	shape shape
	text  string
}

// valueOf copies a node, which is valid only as long as its expression.
func valueOf(n *unstable.Node) value {
	shapes := map[unstable.Kind]shape{
		unstable.String: shapeString, unstable.Integer: shapeInt, unstable.Float: shapeFloat,
		unstable.Bool: shapeBool, unstable.Array: shapeArray, unstable.InlineTable: shapeTable,
	}
	s, ok := shapes[n.Kind]
	if !ok {
		s = shapeDate
	}
	return value{shape: s, text: string(n.Data)}
}

// unlike returns the error for a value of the wrong type. It does not repeat
// the value, which may be a secret in the wrong place.
func (v value) unlike(want string) error {
	return fmt.Errorf("got %s, want %s", v.shape, want)
}

func (v value) asString() (string, error) {
	if v.shape != shapeString && v.shape != shapeWord {
		return "", v.unlike("a string in quotes")
	}
	if strings.ContainsFunc(v.text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errors.New("must not hold line ends or other control characters")
	}
	return v.text, nil
}

func (v value) asInt() (int64, error) {
	if v.shape != shapeInt && v.shape != shapeWord {
		return 0, v.unlike("a whole number without quotes")
	}
	n, err := strconv.ParseInt(v.text, 0, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%s is out of range", v.text)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number", v.text)
	}
	return n, nil
}

func (v value) asFloat() (float64, error) {
	if v.shape == shapeInt {
		n, err := v.asInt()
		return float64(n), err
	}
	if v.shape != shapeFloat && v.shape != shapeWord {
		return 0, v.unlike("a number without quotes")
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(v.text, "_", ""), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%q is no number that can be used", v.text)
	}
	return f, nil
}

func (v value) asBool() (bool, error) {
	if v.shape == shapeBool || v.shape == shapeWord {
		switch v.text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, v.unlike("true or false without quotes")
}
