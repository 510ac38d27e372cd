package media

import (
	"encoding/json"
	"path/filepath"
)

// Outputs are the paths that a task would write, as its spec has them, so that a
// caller can find two tasks with one output before either starts; nil where the
// spec does not tell, or is wrong. standard is the kind of work where the spec
// names none (see NewAny).
func Outputs(standard string, spec json.RawMessage) []string {
	known := anyKind{kinds: kindNames(), standard: standard}
	kind, own := known.split(spec)
	var outputs []string
	switch kind {
	case Transcode:
		outputs = transcodeOutputs(own)
	case Record, Package, Thumbnails, Stream, Mix:
		var s struct {
			Output string `json:"output"`
		}
		if json.Unmarshal(own, &s) == nil && s.Output != "" {
			outputs = []string{s.Output}
		}
	}
	for i := range outputs {
		outputs[i] = filepath.Clean(outputs[i])
	}
	return outputs
}

func transcodeOutputs(spec json.RawMessage) []string {
	p := transcoding{}
	if json.Unmarshal(spec, &p.TranscodeSpec) != nil || len(p.Ladder) == 0 {
		return nil
	}
	var err error
	if p.container, err = chooseContainer("container", p.Container, p.Output, "mp4"); err != nil {
		return nil
	}
	for i := range p.Ladder {
		if p.Ladder[i].Codec == "" {
			p.Ladder[i].Codec = p.container.video[0]
		}
	}
	p.input = place{name: p.Input}
	if p.name(p.Output) != nil {
		return nil
	}
	return p.outputs
}
