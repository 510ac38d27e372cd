// Package rtc is the part of a room that forwards media: a selective forwarding
// unit (SFU). Browsers send each of their tracks to it once; it sends them on to
// everyone who wants them, without decoding.
//
// What decides is pure, and takes the time as an argument: [Allocator] (which
// layer of which track fits into the estimate), [Speakers] (who speaks),
// [Throttle] (when to ask for a key frame), the numbering of what a subscriber
// gets (numbering), and the packets that may be asked for again (ring). The
// rest is an adapter on pion/webrtc: [Server], its sessions, tracks and slots.
//
//	publisher --> session --> track --> layer (one a simulcast encoding)
//	                                      | ring, duplicates dropped
//	                                      v
//	subscriber <-- session <-- slot (numbering, own header extensions)
//
// The offers are always the client's, so that no two can cross. A session is
// one PeerConnection, named by the caller; it publishes, or subscribes. A slot
// is a media section of a subscriber; it can be pointed to another track at any
// time, also to one that is not published yet. So the order in which publishers
// and subscribers arrive, or come back after a failure, does not matter.
//
// Nothing here needs to survive the process: every session can be made again
// from what its client sends again.
package rtc
