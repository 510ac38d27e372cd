package muster

// DefaultCluster is the name of a cluster unless it is given another: OWT's.
const DefaultCluster = "owt-cluster"

// Member is a manager among those of a cluster, as the one that answers sees it.
type Member struct {
	// ID names the manager, or where its log is in memory, this life of it.
	ID string `json:"id"`
	// Addr is where the other managers reach it; empty for one that is alone.
	Addr string `json:"addr,omitempty"`
	// PID is its process, 0 where that is not known.
	PID int `json:"pid,omitempty"`
	// Version is that of its program, empty where it is not known.
	Version string `json:"version,omitempty"`
	// Role is "leader", "follower" or "candidate".
	Role string `json:"role"`
	// Term counts elections.
	Term uint64 `json:"term"`
	// Index is the last entry of the log that it is known to have, Lag how many
	// it is behind the leader.
	Index uint64 `json:"index"`
	Lag   uint64 `json:"lag"`
	// Voter reports that it counts in a majority: one that has just come does
	// not until it has everything.
	Voter bool `json:"voter"`
	// Active reports that it was heard lately.
	Active bool `json:"active"`
}
