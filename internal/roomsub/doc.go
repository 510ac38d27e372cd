// Package roomsub subscribes to rooms: it follows who is there, and receives
// tracks frame by frame. Recordings and streams of rooms are made with it.
//
// A subscriber asks the conference who is in the room, and the SFU for each track,
// over a connection of its own. So it goes on when the SFU dies or is drained, on
// whichever machine, as a browser does.
//
//	conference --state--> Room.Watch
//	SFU --RTP--> Subscription --> Assembler --frames--> Taker
package roomsub
