// Package room is a room as a value, and the words in which portals,
// conference and SFUs speak of it.
//
// A [Room] changes by Apply(command) only, and has no clock and no I/O. What it
// knows comes from portals: each says all that it knows of its own people, again
// and again ([Sync]). So a room that is lost with its conference is the same
// again when every portal has spoken once, in whatever order.
//
// # Where what is known
//
//	client        its token, its ticket, its tracks, what it looks at
//	portal        who is connected to it, and what they publish (from clients)
//	conference    the Room: all participants, and the SFU that serves it (from portals)
//	SFU           sessions, tracks, slots (from the clients' offers)
//
// Everything in a lower line can be made again from the lines above it.
package room
