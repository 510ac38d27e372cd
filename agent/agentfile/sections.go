package agentfile

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/internal/purposes"
	"github.com/muster-fleet/muster/worker"
)

// sections are the parts of the file that an agent reads. A pointer distinguishes a
// missing key from a zero.
type sections struct {
	Agent struct {
		MaxProcesses    *int `toml:"maxProcesses"`
		PrerunProcesses *int `toml:"prerunProcesses"`
		EnableGRPC      bool `toml:"enable_grpc"`
	} `toml:"agent"`
	Cluster struct {
		Name            string  `toml:"name"`
		JoinRetry       *int    `toml:"join_retry"`
		LoadInterval    *int    `toml:"report_load_interval"`
		MaxLoad         float64 `toml:"max_load"`
		NetworkName     string  `toml:"network_name"`
		NetworkMaxScale float64 `toml:"network_max_scale"`
		Worker          struct {
			IP string `toml:"ip"`
		} `toml:"worker"`
	} `toml:"cluster"`
	Capacity capacity `toml:"capacity"`
	Internal struct {
		IP        string `toml:"ip_address"`
		Interface string `toml:"network_interface"`
	} `toml:"internal"`
	Recording struct {
		Path string `toml:"path"`
	} `toml:"recording"`
	Video struct {
		Accelerated bool `toml:"hardwareAccelerated"`
	} `toml:"video"`
}

// capacity is [capacity]; OWT's files have the first two keys.
type capacity struct {
	ISPs       []string        `toml:"isps"`
	Regions    []string        `toml:"regions"`
	Algorithms []string        `toml:"algorithms"`
	Video      *muster.Formats `toml:"video"`
}

func (c capacity) of() muster.Capacity {
	return muster.Capacity{ISPs: c.ISPs, Regions: c.Regions, Algorithms: c.Algorithms, Video: c.Video}
}

var errGRPC = errors.New("agent.enable_grpc: Muster's agents are reached over the message queue only: remove the key, " +
	"here and in the files of the other OWT programs, which must all go by the queue")

func (s *sections) validate() error {
	if s.Agent.EnableGRPC {
		return errGRPC
	}
	if n := s.Cluster.LoadInterval; n != nil && *n <= 0 {
		return fmt.Errorf("cluster.report_load_interval must be a positive number of milliseconds, not %d", *n)
	}
	if l := s.Cluster.MaxLoad; l < 0 || l > 1 {
		return fmt.Errorf("cluster.max_load must be above 0 and at most 1, not %v", l)
	}
	if n := s.Cluster.NetworkMaxScale; n < 0 {
		return fmt.Errorf("cluster.network_max_scale must be a positive number of Mbit/s, not %v", n)
	}
	if n := s.Agent.MaxProcesses; n != nil && *n < -1 {
		return fmt.Errorf("agent.maxProcesses must be -1 (no limit) or more, not %d", *n)
	}
	if n := s.Agent.PrerunProcesses; n != nil && *n < 0 {
		return fmt.Errorf("agent.prerunProcesses must not be negative, but is %d", *n)
	}
	return nil
}

// policy returns the policy of the purpose, with the file's numbers. As in OWT, 0
// means not set.
func (s *sections) policy(purpose string) agent.Policy {
	p := agent.DefaultPolicy(purpose)
	if n := s.Agent.PrerunProcesses; n != nil && *n != 0 {
		p.Prerun = *n
	}
	if n := s.Agent.MaxProcesses; n != nil && *n != 0 {
		p.MaxNodes = *n
	}
	if p.MaxNodes > 0 {
		p.Prerun = min(p.Prerun, p.MaxNodes)
	}
	return p
}

func (s *sections) retries() int {
	n := s.Cluster.JoinRetry
	switch {
	case n == nil || *n == 0:
		return worker.DefaultJoinRetries
	case *n < 0:
		return -1
	}
	return *n
}

func (s *sections) interval() time.Duration {
	if n := s.Cluster.LoadInterval; n != nil {
		return time.Duration(*n) * time.Millisecond
	}
	return worker.DefaultLoadInterval
}

// defaultMbps is the capacity of a network that OWT assumes.
const defaultMbps = 1000

func (s *sections) load(purpose string) Load {
	switch purposes.Of(purpose).Load {
	case purposes.Network:
		return Load{Item: "network", Interface: cmp.Or(s.Cluster.NetworkName, "lo"), Mbps: cmp.Or(s.Cluster.NetworkMaxScale, defaultMbps)}
	case purposes.Disk:
		return Load{Item: "disk", Disk: cmp.Or(s.Recording.Path, "/tmp")}
	case purposes.GPU:
		if s.Video.Accelerated {
			return Load{Item: "gpu"}
		}
	}
	return Load{Item: "cpu"}
}
