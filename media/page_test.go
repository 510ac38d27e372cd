package media

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var section = regexp.MustCompile("(?s)\n## (\\w+)\n\n```json\n(.*?)```\n(.*?)(?:\n## |$)")

// docs/media.md shows specs that are right, and names every field.
func TestThePageOfSpecs(t *testing.T) {
	page, err := os.ReadFile("../docs/media.md")
	if err != nil {
		t.Fatal(err)
	}
	tool, err := Find(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	specs := map[string]reflect.Type{
		Record: reflect.TypeFor[RecordSpec](), Transcode: reflect.TypeFor[TranscodeSpec](), Stream: reflect.TypeFor[StreamSpec](),
		Package: reflect.TypeFor[PackageSpec](), Thumbnails: reflect.TypeFor[ThumbnailsSpec](),
		Mix: reflect.TypeFor[MixSpec](), Analyse: reflect.TypeFor[AnalyseSpec](),
	}
	t.Chdir(t.TempDir())
	for _, input := range []string{"in/talk.mov", "loop.mp4", "a.mp4", "b.mp4", "talk.mp4"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(input), 0o700), os.WriteFile(input, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	text := string(page)
	for kind, spec := range specs {
		at := strings.Index(text, "\n## "+kind+"\n")
		if at < 0 {
			t.Errorf("no section %s", kind)
			continue
		}
		m := section.FindStringSubmatch(text[at:])
		w, err := New(kind, tool, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Check(json.RawMessage(m[2])); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for _, f := range reflect.VisibleFields(spec) {
			if name := f.Tag.Get("json"); !f.Anonymous && !strings.Contains(m[3], "`"+name+"`") {
				t.Errorf("%s: the page lacks %s", kind, name)
			}
		}
	}
}
