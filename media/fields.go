package media

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// fault is what is wrong with a field of a spec, and what to do.
func fault(field, format string, args ...any) error {
	return fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...))
}

// Bitrate is in bits per second. In JSON it is a number, or a string such as
// "800k" or "2.5M".
type Bitrate int64

// UnmarshalJSON reads a number or a string with a k or an M.
func (b *Bitrate) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if text == "null" {
		return nil
	}
	if len(raw) > 0 && raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
	}
	unit := 1.0
	digits := strings.TrimRight(text, "kKmM")
	switch strings.ToLower(text[len(digits):]) {
	case "":
	case "k":
		unit = 1e3
	case "m":
		unit = 1e6
	default:
		return notBitrate(text)
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(n*unit >= 1000 && n*unit <= 1e9) {
		return notBitrate(text)
	}
	*b = Bitrate(n * unit)
	return nil
}

// MarshalJSON writes null for 0, which is the encoder's choice.
func (b Bitrate) MarshalJSON() ([]byte, error) {
	if b == 0 {
		return []byte("null"), nil
	}
	return []byte(b.arg()), nil
}

func notBitrate(text string) error {
	return fmt.Errorf("bitrate %s is not one: write bits per second, as in 800000, \"800k\" or \"2.5M\"", text)
}

func (b Bitrate) arg() string { return strconv.FormatInt(int64(b), 10) }

// seconds writes a time for ffmpeg's arguments.
func seconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }

func positive(field string, s float64) error {
	if s < 0 || s > 1e9 {
		return fault(field, "must be a number of seconds above 0")
	}
	return nil
}

func between(field string, n, least, most int) error {
	if n < least || n > most {
		return fault(field, "%d must be from %d to %d", n, least, most)
	}
	return nil
}

// dimension checks a width or a height: pictures are coded in pairs of lines
// and of columns. 0 is one that is not given.
func dimension(field string, n int) error {
	if n == 0 {
		return nil
	}
	if n < 16 || n > 16384 || n%2 != 0 {
		return fault(field, "%d must be an even number from 16 to 16384", n)
	}
	return nil
}

func frameRate(field string, fps float64) error {
	if fps < 0 || fps > 1000 {
		return fault(field, "%v must be from 0 to 1000 frames a second", fps)
	}
	return nil
}

// first is the first error, as of the checks of several fields.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Existing says what is to be done with a file that is there already where a
// result is to be written.
type Existing string

const (
	// Refuse leaves it as it is, and the task fails. The default.
	Refuse Existing = "refuse"
	// Replace puts the new file in its place, once that is whole.
	Replace Existing = "replace"
	// Keep takes it for the result, and the task is done. Of several results all
	// must be there.
	Keep Existing = "keep"
	// Append adds segments behind those that are there.
	Append Existing = "append"
)

func (e Existing) check(may ...Existing) (Existing, error) {
	if e == "" {
		return Refuse, nil
	}
	return e, oneOf("existing", e, may)
}

// errExists is for what must not be overwritten.
var errExists = errors.New("exists already")

func exists(field, path string, may ...string) error {
	return fmt.Errorf("%s: %s %w: choose another, or set existing to %s", field, path, errExists, strings.Join(may, " or "))
}
