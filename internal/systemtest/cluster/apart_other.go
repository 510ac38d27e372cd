//go:build !linux

package cluster

import (
	"errors"
	"os"
)

var errNoNamespaces = errors.New("networks of their own are Linux's: run it there")

func newCrewApart() (*Crew, error) { return nil, errNoNamespaces }

func (c *Crew) joinWire(string) (*os.File, error) { return nil, errNoNamespaces }
