// Package roomstream streams rooms: one picture of all participants with their sound
// goes to an RTMP server or into HLS, while it happens.
//
// A stream is a task of purpose streaming, and a subscriber of the room (package
// roomsub). What is shown is decoded, by an ffmpeg for each picture, at the size of
// its tile; sound is decoded here. A steady clock takes the last picture of each tile
// and the sound that is due (package compose), and gives both to one more ffmpeg, as
// an input over HTTP on the loopback of a stream of package media: that encodes,
// sends, and begins again when the server breaks off.
//
//	roomsub --VP8, VP9, H.264--> picture: decoder (ffmpeg) --I420--+
//	   |                                                          v
//	   +---------Opus----------> voice ------PCM----> show (compose) --> film --Matroska--> media.Stream --> RTMP, HLS
//
// So nothing that happens in the room ends the output: who comes or goes, an SFU that
// dies, or a decoder that breaks changes what is in the picture.
package roomstream
