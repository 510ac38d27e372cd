// Package agentfile reads the unchanged agent.toml of an OWT agent: the settings of
// the agent itself, and the configuration that its nodes get.
//
// Package config reads the sections [rabbit] and [bus], which all programs of a
// cluster share.
package agentfile

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/internal/owttoml"
)

// File is an agent.toml. Missing settings have OWT's defaults for the purpose.
type File struct {
	// Policy says how many nodes there are, and which tasks share one.
	Policy agent.Policy
	// Cluster is the name of the cluster.
	Cluster string
	// JoinRetries is how often a first join is tried again; -1 means never.
	JoinRetries int
	// LoadInterval is how often the load is measured.
	LoadInterval time.Duration
	// MaxLoad is the load, up to 1, from which the agent gets no further tasks.
	MaxLoad float64
	// Load is what the agent measures as its load.
	Load Load
	// Capacity is what the agent can serve.
	Capacity muster.Capacity
	// IP, Hostname and Port are where clients reach it; "" and 0 are not set.
	IP, Hostname string
	Port         int

	whole  map[string]any
	loaded bool // by OWT's own loader
}

// Load is what an agent measures as its load. As in OWT, the default is the network
// for webrtc, streaming and quic, the disk for recording, else the processor.
type Load struct {
	// Item is cpu, gpu, disk or network.
	Item string
	// Disk is the directory whose disk counts, Interface the network's name.
	Disk, Interface string
	// Mbps is how much the network interface carries.
	Mbps float64
}

// Read reads the file at path for an agent of that purpose.
func Read(path, purpose string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("agent file: %w", err)
	}
	f, err := Parse(text, purpose)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return f, nil
}

// Default returns the File of an empty agent.toml.
func Default(purpose string) *File {
	f, err := Parse(nil, purpose)
	if err != nil {
		panic(err) // the defaults are valid
	}
	return f
}

// Parse reads the content of a file. Its error begins with the line and the
// column, where there is one, and names the key.
func Parse(text []byte, purpose string) (*File, error) {
	var s sections
	whole := map[string]any{}
	text = owttoml.Strict(text)
	if err := errors.Join(located(toml.Unmarshal(text, &s)), located(toml.Unmarshal(text, &whole))); err != nil {
		return nil, err
	}
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf(" %w", err)
	}
	own, err := ownOf(whole, purpose)
	if err != nil {
		return nil, fmt.Errorf(" %w", err)
	}
	f := s.file(purpose, own)
	f.whole = whole
	return f, nil
}

// located adds the place in the file to an error.
func located(err error) error {
	var at *toml.DecodeError
	if !errors.As(err, &at) {
		return err
	}
	line, column := at.Position()
	key := strings.Join(at.Key(), ".")
	if key != "" {
		key += ": "
	}
	return fmt.Errorf("%d:%d: %s%w", line, column, key, at)
}
