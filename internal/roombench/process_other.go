//go:build !linux

package roombench

import "errors"

func usageOf(int) (usage, error) {
	return usage{}, errors.New("what a server uses is read on Linux only")
}
