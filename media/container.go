package media

import (
	"path/filepath"
	"slices"
	"strings"
)

// container is a format of files.
type container struct {
	// word is the ending of its files too.
	word string
	// muxer is ffmpeg's name.
	muxer string
	// audio and video are the codecs that it can hold; the first suits it best.
	audio, video []string
	// flags are given to the muxer of a file that is written once.
	flags []string
}

var containers = []container{
	{"mp4", "mp4", []string{"aac", "mp3", "opus"}, []string{"h264", "h265", "av1", "vp9"}, []string{"-movflags", "+faststart"}},
	{"mkv", "matroska", []string{"aac", "opus", "mp3"}, []string{"h264", "h265", "av1", "vp9", "vp8"}, nil},
	{"webm", "webm", []string{"opus"}, []string{"vp9", "vp8", "av1"}, nil},
	{"ts", "mpegts", []string{"aac", "mp3", "opus"}, []string{"h264", "h265"}, nil},
}

func containerWords() []string {
	words := make([]string, len(containers))
	for i, c := range containers {
		words[i] = c.word
	}
	return words
}

func containerOf(field, word string) (container, error) {
	if err := oneOf(field, word, containerWords()); err != nil {
		return container{}, err
	}
	i := slices.IndexFunc(containers, func(c container) bool { return c.word == word })
	return containers[i], nil
}

// ending is the container that the name of a file implies, "" if none.
func ending(path string) string {
	word := strings.TrimPrefix(filepath.Ext(path), ".")
	if slices.Contains(containerWords(), word) {
		return word
	}
	return ""
}

// chooseContainer settles what a spec says of it: a field, the ending of the
// output, or neither.
func chooseContainer(field, said, output, otherwise string) (container, error) {
	named := ending(output)
	switch {
	case said == "" && named == "" && otherwise == "":
		return container{}, fault(field, "is missing: the output %s has none of the endings .%s", output, strings.Join(containerWords(), ", ."))
	case said == "" && named == "":
		said = otherwise
	case said == "":
		said = named
	case named != "" && said != named:
		return container{}, fault(field, "%q is at odds with the output's ending .%s: leave one of them out", said, named)
	}
	return containerOf(field, said)
}

// holds checks that a container can hold a video codec.
func (c container) holds(field, word string) error {
	known, ok := codecOf(word)
	if ok && !slices.Contains(c.video, known.word) {
		return fault(field, "%s has no place in %s: choose one of %s, or another container", word, c.word, strings.Join(c.video, ", "))
	}
	return nil
}
