package agentfile

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/worker"
)

// loaded is the part that Muster's agent needs of a configuration completed by OWT's
// loader.
type loaded struct {
	Agent struct {
		MaxProcesses    int  `json:"maxProcesses"`
		PrerunProcesses int  `json:"prerunProcesses"`
		EnableGRPC      bool `json:"enable_grpc"`
	} `json:"agent"`
	Cluster struct {
		Name   string `json:"name"`
		Worker struct {
			IP        string `json:"ip"`
			JoinRetry int    `json:"join_retry"`
			Load      struct {
				Max    float64 `json:"max"`
				Period float64 `json:"period"` // in milliseconds
				Item   struct {
					Name     string  `json:"name"`
					Drive    string  `json:"drive"`
					Interf   string  `json:"interf"`
					MaxScale float64 `json:"max_scale"`
				} `json:"item"`
			} `json:"load"`
		} `json:"worker"`
	} `json:"cluster"`
	Capacity muster.Capacity `json:"capacity"`
}

// Loaded returns the File for the JSON that OWT's own loader made of an agent.toml.
// Nodes get that JSON unchanged.
func Loaded(config json.RawMessage, purpose string) (*File, error) {
	var c loaded
	whole := map[string]any{}
	err := json.Unmarshal(config, &c)
	if err == nil {
		err = json.Unmarshal(config, &whole)
	}
	if err != nil {
		return nil, fmt.Errorf("what OWT's loader made of agent.toml: %w", err)
	}
	load := c.Cluster.Worker.Load
	s := sections{}
	s.Agent.MaxProcesses, s.Agent.PrerunProcesses, s.Agent.EnableGRPC = &c.Agent.MaxProcesses, &c.Agent.PrerunProcesses, c.Agent.EnableGRPC
	s.Cluster.JoinRetry, s.Cluster.MaxLoad, s.Cluster.Name = &c.Cluster.Worker.JoinRetry, load.Max, c.Cluster.Name
	if period := int(load.Period); period != 0 {
		s.Cluster.LoadInterval = &period
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	own, err := ownOf(whole, purpose)
	if err != nil {
		return nil, err
	}
	f := s.file(purpose, own)
	f.IP, f.Capacity, f.whole, f.loaded = knownIP(c.Cluster.Worker.IP), c.Capacity, whole, true
	if load.Item.Name != "" {
		f.Load = Load{Item: load.Item.Name, Disk: load.Item.Drive, Interface: load.Item.Interf, Mbps: load.Item.MaxScale}
	}
	return f, nil
}

// knownIP returns the address that a loader found, or "". Without an address the
// loader writes "unknown", or "unkown" in some versions.
func knownIP(ip string) string {
	if ip == "unknown" || ip == "unkown" {
		return ""
	}
	return ip
}

// file returns the File of the sections, without the configuration of the nodes.
func (s *sections) file(purpose string, o own) *File {
	return &File{
		Policy: s.policy(purpose), Cluster: cmp.Or(s.Cluster.Name, worker.DefaultCluster),
		JoinRetries: s.retries(), LoadInterval: s.interval(), MaxLoad: cmp.Or(s.Cluster.MaxLoad, worker.DefaultMaxLoad),
		Load: s.load(purpose), Capacity: s.Capacity.of(), IP: s.address(), Hostname: o.Hostname, Port: o.Port,
	}
}
