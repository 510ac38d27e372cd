// Package roomrec records rooms: each track of a room goes into a file of its
// own, WebM or Matroska, as it arrives and without decoding.
//
// A recording is a task of purpose recording, and a subscriber of the room (package
// roomsub). A file goes on when the SFU dies or is drained, and says how long
// nothing came.
//
//	roomsub.Subscription --frames--> take (file, gaps) --> index
//
// Beside the files there are an index (recording.json) and the spec of a mix of
// them (mix.json), which are written again whenever something changes.
package roomrec
