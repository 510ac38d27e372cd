package muster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// What a manager takes, in bytes where nothing else is said. docs/limits.md has
// the same as a table, with what the answers say. Every copy of the state keeps
// what is accepted, so each bound keeps one caller's mistake from growing them
// all. A request within all of them fits into the managers' log, and into a
// message of NATS with its usual max_payload.
const (
	// MaxBody is the method and the arguments of a request together.
	MaxBody = 1 << 20
	// MaxName is the name of a purpose, a worker, a manager's address, and each
	// text in a worker's info that placements look at. RabbitMQ takes no longer
	// name for a queue, and each worker is one.
	MaxName = 255
	// MaxTask is the name of a task.
	MaxTask = 1024
	// MaxTasks is the number of tasks in one report of a worker.
	MaxTasks = 10_000
	// MaxScheduleMany is the number of tasks in one scheduleMany.
	MaxScheduleMany = 1000
	// MaxInfo is what a worker says of itself when it joins, as JSON.
	MaxInfo = 64 << 10
	// MaxLabels is the number of labels of a worker, and of requirements in a
	// preference.
	MaxLabels = 64
	// MaxLabelValue is the value of a label.
	MaxLabelValue = 1024
	// MaxPreference is what a task asks of its worker, as JSON.
	MaxPreference = 16 << 10
	// MaxSpec is the spec of a task, as JSON.
	MaxSpec = 256 << 10
	// MaxPurposes is the number of purposes that a cluster knows at a time.
	MaxPurposes = 1000
	// MaxDrains is the number of drains that a cluster remembers, those that
	// ended included.
	MaxDrains = 256
	// MaxSelected is the number of workers in all drains together, and of those
	// that are cordoned.
	MaxSelected = 10_000
	// MaxDeadline is the latest deadline of a drain, in milliseconds: 30 days.
	MaxDeadline = 30 * 24 * 60 * 60 * 1000
	// MaxAudit is the number of entries that the audit keeps.
	MaxAudit = 1000
	// MaxAuditText is each of the texts of an audit entry.
	MaxAuditText = 2048
)

var (
	errEmpty   = errors.New("must be a non-empty string")
	errUTF8    = errors.New("must be valid UTF-8")
	errControl = errors.New("must not have control characters, such as line breaks")
)

func errLong(most int) error { return fmt.Errorf("must not be longer than %d bytes", most) }

// CheckName returns what is wrong with the name of something: it must be valid
// UTF-8 of 1 to most bytes, without control characters.
func CheckName(name string, most int) error {
	if name == "" {
		return errEmpty
	}
	return checkText(name, most)
}

// checkText is CheckName for a text that may be empty.
func checkText(s string, most int) error {
	switch {
	case len(s) > most:
		return errLong(most)
	case isPlain(s):
		return nil
	case !utf8.ValidString(s):
		return errUTF8
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return errControl
		}
	}
	return nil
}

// checkTexts bounds texts of an object, each of which follows its member's name.
func checkTexts(object string, members ...string) error {
	for pair := range slices.Chunk(members, 2) {
		if err := checkText(pair[1], MaxName); err != nil {
			return fmt.Errorf("%s.%s %w", object, pair[0], err)
		}
	}
	return nil
}

// isPlain reports whether s is printable ASCII, as nearly every name is.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// checkJSON bounds a part of a message that stays JSON.
func checkJSON(raw json.RawMessage, most int) error {
	switch {
	case len(raw) > most:
		return errLong(most)
	case !utf8.Valid(raw):
		return errUTF8
	}
	return nil
}

// Check returns what is out of bounds in a worker's info, naming the member.
func (i Info) Check() error {
	if err := checkJSON(i.Raw, MaxInfo); err != nil {
		return fmt.Errorf("info %w", err)
	}
	if err := checkTexts("info", "ip", i.IP, "hostname", i.Hostname, "purpose", i.Purpose); err != nil {
		return err
	}
	if err := i.Capacity.check(); err != nil {
		return err
	}
	return checkLabels("info", i.Labels)
}

func (c *Capacity) check() error {
	video := Formats{}
	if c.Video != nil {
		video = *c.Video
	}
	for _, list := range []struct {
		member string
		values []string
	}{
		{"isps", c.ISPs}, {"regions", c.Regions}, {"algorithms", c.Algorithms},
		{"video.encode", video.Encode}, {"video.decode", video.Decode},
	} {
		for n, value := range list.values {
			if err := checkText(value, MaxName); err != nil {
				return fmt.Errorf("info.capacity.%s[%d] %w", list.member, n, err)
			}
		}
	}
	return nil
}

// checkLabels bounds the labels of an object.
func checkLabels(object string, labels map[string]string) error {
	if len(labels) > MaxLabels {
		return fmt.Errorf("%s.labels must not be more than %d", object, MaxLabels)
	}
	for key, value := range labels {
		if err := CheckName(key, MaxName); err != nil {
			return fmt.Errorf("%s.labels: the key %.40q %w", object, key, err)
		}
		if err := checkText(value, MaxLabelValue); err != nil {
			return fmt.Errorf("%s.labels.%s %w", object, key, err)
		}
	}
	return nil
}

// CheckPreference returns what is out of bounds in a preference, naming the
// member. What ParsePreference refuses is left to it.
func CheckPreference(raw json.RawMessage) error {
	if err := checkJSON(raw, MaxPreference); err != nil {
		return fmt.Errorf("preference %w", err)
	}
	// JSON has no control character save as an escape, and a text is not longer
	// than what it stands in: most preferences need not be read for this.
	if len(raw) <= MaxName && bytes.IndexByte(raw, '\\') < 0 {
		return nil
	}
	p, err := ParsePreference(raw)
	if err != nil {
		return nil
	}
	return p.check()
}

func (p *Preference) check() error {
	if err := checkTexts("preference", "isp", p.ISP, "region", p.Region, "algorithm", p.Algorithm); err != nil {
		return err
	}
	if len(p.Labels) > MaxLabels {
		return fmt.Errorf("preference.labels must not be more than %d", MaxLabels)
	}
	for _, label := range p.Labels {
		if err := label.check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *LabelRequirement) check() error {
	if err := checkText(r.Key, MaxName); err != nil {
		return fmt.Errorf("preference.labels: the key %.40q %w", r.Key, err)
	}
	for _, value := range r.In {
		if err := checkText(value, MaxLabelValue); err != nil {
			return fmt.Errorf("preference.labels.%s %w", r.Key, err)
		}
	}
	return nil
}

// Check returns what is out of bounds in an order, naming the member. A room
// may be empty.
func (o TaskOrder) Check() error {
	if err := CheckName(o.Task, MaxTask); err != nil {
		return fmt.Errorf("task %w", err)
	}
	if err := checkText(o.Room, MaxTask); err != nil {
		return fmt.Errorf("room %w", err)
	}
	if err := checkJSON(o.Spec, MaxSpec); err != nil {
		return fmt.Errorf("spec %w", err)
	}
	return nil
}
