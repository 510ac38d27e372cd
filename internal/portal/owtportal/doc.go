// Package owtportal lets OWT's browser SDK enter rooms, unmodified: it speaks the
// protocol of OWT's portals (version 1.2, over Socket.IO) with clients, and acts
// for each of them as a participant of a room ([portal.Seat]).
//
// OWT's client has one PeerConnection for everything, makes all offers itself,
// and cannot be made to open another one. So each participant has at most one
// session on the SFU, which sends and receives, and when its SFU is lost the
// client is notified that its transport failed: it may join again with the same token.
//
//	server     sockets, login, tickets: which socket is which person
//	person     a participant: requests in, notifications out; no goroutines
//	view       a room's state as participants and streams, and what has changed
//	sdp        what is changed in offers and answers
//
// docs/rooms.md says how OWT's page is pointed to Muster, and
// docs/decisions/owt-sdk.md what is different from OWT.
package owtportal
