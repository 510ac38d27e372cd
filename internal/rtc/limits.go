package rtc

import "runtime"

// Limits bound what clients can ask of a server. A field that is zero has its
// default.
type Limits struct {
	// SDP is the most bytes of an offer.
	SDP int
	// Sections is the most media sections of an offer.
	Sections int
	// Sessions is the most sessions at once.
	Sessions int
	// OwnerSessions is the most sessions of one participant.
	OwnerSessions int
	// Tracks is the most tracks of a room.
	Tracks int
	// Packets is how many RTP packets a second, those that come and those that go, are
	// all that the machine can do. Nothing is refused because of it: see Load.
	Packets int
	// RoomBitrate is the most bits a second that all publishers of a room send
	// together; 0 is no limit. Pictures beyond it are dropped.
	RoomBitrate int
	// Relays is the most relays of TURN at once, UserRelays the most of one
	// participant: browsers make one for each connection, URL and interface.
	Relays     int
	UserRelays int
}

// DefaultLimits returns the limits with every default filled in.
func DefaultLimits() Limits { return Limits{}.withDefaults() }

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		field *int
		value int
	}{{&l.SDP, 256 << 10}, {&l.Sections, 128}, {&l.Sessions, 2000}, {&l.OwnerSessions, 16}, {&l.Tracks, 500}, {&l.Relays, 8000}, {&l.UserRelays, 64}, {&l.Packets, packetsPerCPU * runtime.GOMAXPROCS(0)}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return l
}

// packetsPerCPU is some half of what a processor forwards; docs/benchmarks.md has
// the measurement.
const packetsPerCPU = 60_000

// maxPacket is the largest RTP packet that is read, in bytes.
const maxPacket = 1500

// GCPercent is how far the heap of a process that forwards media may grow before
// Go's collector runs, in per cent of what is alive. Forwarding leaves little
// garbage, and joining much, which Go's 100 would keep as memory of the process.
const GCPercent = 50
