//go:build !linux

package mediabench

import (
	"errors"
	"time"
)

// process is known on Linux only.
type process struct {
	parent int
	cpu    time.Duration
}

func processes() (map[int]process, error) {
	return nil, errors.New("media: processor times are read from /proc, which only Linux has")
}

func (process) argv() []string { return nil }
