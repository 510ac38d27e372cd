// Package roomrec records rooms: each track of a room goes into a file of its
// own, WebM or Matroska, as it arrives and without decoding.
//
// A recording is a task of purpose recording. It is a subscriber like others: it
// asks the conference who is in the room, and the SFU for each track, over a
// connection of its own. So it goes on when the SFU dies or is drained, on
// whichever machine, as a browser does; the file goes on too, and says how long
// nothing came.
//
//	conference --room--> recording --offer--> SFU
//	                        | a connection for each track
//	                        v
//	  receiver (RTP) --> assembler (frames) --> take (file, gaps) --> index
//
// Beside the files there are an index (recording.json) and the spec of a mix of
// them (mix.json), which are written again whenever something changes.
package roomrec
