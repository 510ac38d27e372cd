// Package roomfeed has the kinds of media task (package media) work on what a
// participant of a room sends: an analysis, a transcoding, while it happens.
//
// Such a task is a subscriber of the room (package roomsub). What arrives goes,
// without decoding, over HTTP on the loopback to the ffmpeg that does the work:
//
//	roomsub --VP8, VP9, H.264, AV1, Opus--> feed --Matroska--> media --> its output
//
// The feed goes on when the SFU dies or is drained, and ends when its participant has
// left; the work then ends as at the end of a file.
package roomfeed
