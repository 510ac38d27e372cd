// Package raft replicates the state of the managers with Raft: a command is
// answered after a majority of the managers has it, so that every later leader
// has it, too.
//
// # Parts
//
//	owner (one goroutine of the manager)        loop (one goroutine of Replica)
//	  Propose, Read ──────── enqueue ─────────────▶ Core ──▶ links ──▶ other managers
//	  Apply  ◀────── Commit: commands, reads, role ─┤  ▲
//	    │                                           │  └── listener ◀── other managers
//	    ▼                                           ▼
//	  Applier (state.State)                          disk (only with Options.Dir)
//
// Core is the protocol without a clock, a disk or a network: events go in (Tick,
// Step, Propose, Wrote ...), and actions come out (Take). The same calls with the
// same seed give the same output, so that a simulation can drive any number of
// Cores and Appliers in one goroutine. Replica is the runtime around one Core.
//
// A Core consists of the entry points and the pump of the library's messages, and
// of parts with state of their own: bootstrap (find or create a cluster), logCheck
// (is the data directory the latest?), election, membership, proposals, reads,
// ackTable (what the members have on their disks) and snapshots.
//
// # Time
//
// The library draws election time-outs from the system's random source, which
// cannot be seeded. A Core therefore advances the library's clock only for the
// leader's heartbeats and quorum checks, and starts elections itself, with
// time-outs from its own seed.
//
// Reads use Raft's read index, which costs a round trip to a majority that all
// waiting reads share. A lease of the leader would be faster, but relies on
// clocks, and a manager may be stopped for seconds.
//
// # A lost log
//
// Raft relies on members that remember their votes and their logs. Without
// Options.Dir a manager that restarts remembers nothing, so it must not return as
// the same member. Each incarnation of a log is therefore a member with a random
// id. The new one asks to join, catches up as a learner, and replaces the old one
// at its address in one change of members (joint consensus). Losing a minority of
// the logs loses nothing. If a majority is lost, Raft cannot continue, and the
// managers start with an empty state. With Options.Dir they do not: see
// Status.Problem.
package raft
