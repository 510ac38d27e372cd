package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/nearest"
	"github.com/muster-fleet/muster/internal/state"
)

// codec reads, checks and shows values of one type.
type codec[T any] struct {
	// words describes the type in the manual.
	words string
	// read returns an error that neither names the key nor shows a secret.
	read func(value) (T, error)
	// show returns the value for JSON: a string, a number or a bool.
	show func(T) any
}

// hinted is an error with the word that was probably meant.
type hinted struct {
	error
	nearest string
}

// that returns the codec for values that also pass a check.
func (c codec[T]) that(check func(T) error) codec[T] {
	read := c.read
	c.read = func(v value) (T, error) {
		got, err := read(v)
		if err == nil {
			err = check(got)
		}
		return got, err
	}
	return c
}

// named returns the codec with other words for the manual.
func (c codec[T]) named(words string) codec[T] {
	c.words = words
	return c
}

func text() codec[string] {
	return codec[string]{"string", value.asString, func(s string) any { return s }}
}

// name is a text that must not be empty.
func name() codec[string] {
	return text().that(func(s string) error {
		if strings.TrimSpace(s) == "" {
			return errors.New("must not be empty")
		}
		return nil
	})
}

func choice(words ...string) codec[string] {
	return text().named(strings.Join(quoted(words), " or ")).that(func(s string) error {
		if slices.Contains(words, s) {
			return nil
		}
		return hinted{fmt.Errorf("%q is none of %s", s, strings.Join(quoted(words), ", ")), quote(nearest.Word(s, words))}
	})
}

func secret() codec[Secret] {
	return codec[Secret]{"string", func(v value) (Secret, error) {
		s, err := v.asString()
		return Secret(s), err
	}, func(s Secret) any { return s.String() }}
}

func yesNo() codec[bool] {
	return codec[bool]{"true or false", value.asBool, func(b bool) any { return b }}
}

func whole(least, most int64) codec[int] {
	words := fmt.Sprintf("whole number, %d to %d", least, most)
	return codec[int]{words, func(v value) (int, error) {
		n, err := v.asInt()
		if err == nil && (n < least || n > most) {
			err = fmt.Errorf("%d is out of range: use %d to %d", n, least, most)
		}
		return int(n), err
	}, func(n int) any { return n }}
}

func load() codec[float64] {
	c := codec[float64]{fmt.Sprintf("number, 0 to %v", state.MaxDebit), value.asFloat, func(f float64) any { return f }}
	return c.that(func(f float64) error {
		if f < 0 || f > state.MaxDebit {
			return fmt.Errorf("%v is out of range: use a load from 0 to %v", f, state.MaxDebit)
		}
		return nil
	})
}

// span is a length of time: milliseconds, as in OWT, or a Go duration.
func span(least, most time.Duration) codec[time.Duration] {
	words := fmt.Sprintf("milliseconds, or a duration such as \"10s\"; %s to %s", brief(least), brief(most))
	c := codec[time.Duration]{words, asDuration, func(d time.Duration) any { return brief(d) }}
	return c.that(func(d time.Duration) error {
		if d < least || d > most {
			return fmt.Errorf("%s is out of range: use %s to %s", brief(d), brief(least), brief(most))
		}
		return nil
	})
}

func asDuration(v value) (time.Duration, error) {
	if v.shape == shapeInt {
		n, err := v.asInt()
		if err == nil && n != time.Duration(n*int64(time.Millisecond)).Milliseconds() {
			err = fmt.Errorf("%d ms is out of range", n)
		}
		return time.Duration(n) * time.Millisecond, err
	}
	if v.shape != shapeString && v.shape != shapeWord {
		return 0, v.unlike(`milliseconds (10000) or a duration ("10s")`)
	}
	if n, err := strconv.ParseInt(v.text, 10, 64); err == nil && n != 0 {
		return 0, fmt.Errorf("%q has no unit: write %sms or %ss; only a number without quotes in the file is milliseconds", v.text, v.text, v.text)
	}
	d, err := time.ParseDuration(v.text)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration: write milliseconds (10000), or a duration such as \"10s\" or \"1m30s\"", v.text)
	}
	return d, nil
}

// brief leaves out the zeros that time.Duration prints: 1h0m0s is 1h.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func strategy() codec[muster.Strategy] {
	return codec[muster.Strategy]{"strategy", func(v value) (muster.Strategy, error) {
		s, err := v.asString()
		if err != nil {
			return "", err
		}
		got, err := muster.ParseStrategy(s)
		if err != nil {
			return "", hinted{err, quote(nearest.Word(s, strategyNames()))}
		}
		return got, nil
	}, func(s muster.Strategy) any { return string(s) }}
}

func strategyNames() []string {
	names := make([]string, len(muster.Strategies))
	for i, s := range muster.Strategies {
		names[i] = string(s)
	}
	return names
}

// debit is a mode, or a number for state.DebitFixed.
func debit() codec[debitValue] {
	words := fmt.Sprintf(`"learned", "off", or a load from 0 to %v`, state.MaxDebit)
	return codec[debitValue]{words, func(v value) (debitValue, error) {
		if v.shape == shapeInt || v.shape == shapeFloat {
			f, err := load().read(v)
			return debitValue{state.DebitFixed, f}, err
		}
		return debitWord(v, words)
	}, func(d debitValue) any {
		if d.mode == state.DebitFixed {
			return d.fixed
		}
		return string(d.mode)
	}}
}

func debitWord(v value, words string) (debitValue, error) {
	s, err := v.asString()
	if err != nil {
		return debitValue{}, v.unlike(words)
	}
	modes := []string{string(state.DebitLearned), string(state.DebitOff)}
	if slices.Contains(modes, s) {
		return debitValue{mode: state.DebitMode(s)}, nil
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil && v.shape == shapeWord {
		return debit().read(value{shapeFloat, s})
	}
	return debitValue{}, hinted{fmt.Errorf("%q is no debit: use %s", s, words), quote(nearest.Word(s, modes))}
}

// host is the name or the address of a machine.
func host() codec[string] { return name().that(checkHost) }

func checkHost(s string) error {
	u, err := url.Parse("amqp://" + net.JoinHostPort(s, "5672"))
	if err != nil || u.Hostname() != s || u.Port() != "5672" {
		return fmt.Errorf("%q is no host: write a name or an IP address, the port is a key of its own", s)
	}
	return nil
}

// listen is the host and port of a server.
func listen() codec[string] { return text().named("host:port").that(checkListen) }

func checkListen(s string) error {
	at, port, err := net.SplitHostPort(s)
	_, portErr := strconv.ParseUint(port, 10, 16)
	if err == nil && at != "" {
		err = checkHost(at)
	}
	if err != nil || portErr != nil {
		return fmt.Errorf("%q is no address: write host:port, such as 127.0.0.1:4222", s)
	}
	return nil
}

// optional is a check that "" passes.
func optional(check func(string) error) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return check(s)
	}
}

// listenOrNot is listen, or nothing.
func listenOrNot() codec[string] {
	return text().named("host:port, or empty").that(optional(checkListen))
}

var schemes = []string{"nats", "tls", "amqp", "amqps"}

// urls is a text that passes a check, and may hold a password.
func urls(check func(string) error) codec[URL] {
	checked := text().that(check)
	return codec[URL]{"URL", func(v value) (URL, error) {
		s, err := checked.read(v)
		return URL(s), err
	}, func(u URL) any { return u.String() }}
}

func address() codec[URL] { return urls(optional(checkURLs)) }

// cloud reads the address of a cloud. Like OWT, it takes any other text for none.
func cloud() codec[URL] {
	return urls(func(s string) error {
		if _, err := url.Parse(s); err != nil { // which holds the password
			return errors.New("cannot be read as a URL: write https://host, with a path or without")
		}
		return nil
	})
}

// otlp reads the address of a collector of traces.
func otlp() codec[URL] {
	return urls(optional(func(s string) error {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return errors.New("is no URL of a collector: write http://host:4318 or https://host")
		}
		return nil
	}))
}

// checkURLs does not repeat errors of url.Parse, which contain the password.
func checkURLs(list string) error {
	kinds := map[BusKind]bool{}
	for part := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			return errors.New("cannot be read as a URL: write scheme://host:port, and % codes for special characters in a password")
		}
		if !slices.Contains(schemes, u.Scheme) {
			return hinted{fmt.Errorf("%q is no scheme of a message queue: use nats://, tls://, amqp:// or amqps://", u.Scheme), nearest.Word(u.Scheme, schemes)}
		}
		if u.Hostname() == "" {
			return fmt.Errorf("names no host: write %s://host:port", u.Scheme)
		}
		kinds[kindOf(u.Scheme)] = true
	}
	if len(kinds) > 1 {
		return errors.New("names servers of NATS and of RabbitMQ: use one kind")
	}
	return nil
}

func quote(word string) string {
	if word == "" {
		return ""
	}
	return strconv.Quote(word)
}

func quoted(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quote(w)
	}
	return out
}
