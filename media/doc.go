// Package media does the work of media nodes with ffmpeg: it records,
// transcodes, streams, mixes and analyses what ffmpeg can read.
//
// Find looks for ffmpeg, Tool.Capacity reports what it can encode and decode
// (tried, not only listed), and New returns the node.Work of one kind:
//
//	tool, err := media.Find(ctx)
//	work, err := media.New(media.Transcode, tool, media.Options{Root: "/srv/media"})
//	node.Main(work, node.Options{})
//
// # Specs
//
// What a task is to do is JSON: RecordSpec, TranscodeSpec, StreamSpec, MixSpec
// and AnalyseSpec say which. A field that is unknown, missing, or at odds with
// another is an error that names it.
//
// # What is never left behind
//
// No ffmpeg outlives its task. It is asked to finish, so that what it wrote is
// playable, and killed after Options.Grace; on Linux it also dies with the
// node. Files get their names when they are whole: before that they are called
// ".<name>.<node>.partial". Segments of a recording are the exception; those
// that are whole are in its playlist.
package media
