// Package raft keeps the state of several managers equal by Raft: a command is
// answered after a majority of the managers has it, and is then in the state
// of every later leader.
//
// # Parts
//
//	owner (one goroutine of the manager)        loop (one goroutine of Replica)
//	  Propose, Read ──────── hand over ───────────▶ Core ──▶ links ──▶ other managers
//	  Apply  ◀────── Commit: commands, reads, role ─┤  ▲
//	    │                                           │  └── listener ◀── other managers
//	    ▼                                           ▼
//	  Applier (state.State)                          disk (only with Options.Dir)
//
// Core is the protocol without clock, disk and network: what happened goes in
// (Tick, Step, Propose, Wrote ...), what is to be done comes out (Take). The
// same calls with the same seed give the same output, so that a simulation can
// drive any number of Cores and Appliers in one goroutine. Replica is the thin
// runtime around one Core.
//
// # Time
//
// The library draws election time-outs from the system's random source, which
// no seed reaches. A Core therefore only lets the library's clock run where
// nothing is drawn (the leader's heartbeats and quorum checks, and the age of
// a follower's leader), and calls the elections itself, from its own seed.
//
// Reads use Raft's read index, a round trip to a majority that all waiting
// reads share, and not the leader's lease: a lease trusts clocks, and a
// manager may be stopped for seconds.
//
// # A log that is lost
//
// Raft relies on a member remembering its votes and its log. Without
// Options.Dir a manager that starts again remembers nothing, so it does not
// come back as the member that it was: the incarnation of a log has a random id, and
// the id is the member. The new one asks to be let in, is fed as a learner,
// and takes the place of the old one at its address in one change of members
// (joint consensus). Losing a minority of the logs loses nothing; when a
// majority of the logs is gone, Raft cannot go on, and the managers begin anew
// from nothing. With Options.Dir that is refused: see Status.Problem.
package raft
