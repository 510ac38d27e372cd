package media

import (
	"encoding/json"
	"os"
)

// findingsName is the environment variable in which an agent hands to its nodes
// what it found out about ffmpeg: asking again takes longer than many a task.
const findingsName = "MUSTER_FFMPEG_FINDINGS"

// findings are what is known of an ffmpeg that has not changed since.
type findings struct {
	FFmpeg  string `json:"ffmpeg"`
	FFprobe string `json:"ffprobe"`
	Version string `json:"version"`
	// Bytes and Modified are those of the program.
	Bytes    int64   `json:"bytes"`
	Modified int64   `json:"modified"`
	Tried    []trial `json:"tried"`
}

// trial is an encoder that was tried.
type trial struct {
	Encoder string `json:"encoder"`
	Profile string `json:"profile,omitempty"`
	Opens   bool   `json:"opens"`
}

// Environ are variables for processes that this one starts: Find takes from
// them what this Tool has found out, unless ffmpeg is another by then. Nil where
// that cannot be said.
func (t *Tool) Environ() []string {
	info, err := os.Stat(t.FFmpeg)
	if err != nil {
		return nil
	}
	f := findings{FFmpeg: t.FFmpeg, FFprobe: t.FFprobe, Version: t.Version, Bytes: info.Size(), Modified: info.ModTime().UnixNano()}
	t.mu.Lock()
	for e, opens := range t.tried {
		f.Tried = append(f.Tried, trial{e.name, e.profile, opens})
	}
	t.mu.Unlock()
	text, err := json.Marshal(f)
	if err != nil {
		return nil
	}
	return []string{findingsName + "=" + string(text)}
}

// known is what an agent found out about an ffmpeg; nil where it did not, or
// about another.
func known(ffmpeg string) *Tool {
	var f findings
	if json.Unmarshal([]byte(os.Getenv(findingsName)), &f) != nil || f.FFmpeg != ffmpeg || f.Version == "" {
		return nil
	}
	info, err := os.Stat(ffmpeg)
	if err != nil || info.Size() != f.Bytes || info.ModTime().UnixNano() != f.Modified {
		return nil
	}
	t := &Tool{FFmpeg: ffmpeg, FFprobe: f.FFprobe, Version: f.Version, tried: map[encoder]bool{}}
	for _, one := range f.Tried {
		t.tried[encoder{one.Encoder, one.Profile}] = one.Opens
	}
	return t
}
