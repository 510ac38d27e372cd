package media

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRecordInSegments(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"mkv", "mp4", "ts"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			in, out := clip(t, 3), filepath.Join(t.TempDir(), "rec")
			w := mustDo(t, Record, fmt.Sprintf(`{"input": %q, "output": %q, "format": %q, "segment_seconds": 1}`, in, out, format))
			segments := w.heard("segment")
			if len(segments) != 3 {
				t.Fatalf("reported the segments %+v", segments)
			}
			for i, s := range segments {
				s := s.(Segment)
				if s.File != filepath.Join(out, fmt.Sprintf("segment-%05d.%s", i, format)) || s.Bytes == 0 {
					t.Errorf("segment %d is %+v", i, s)
				}
				p := look(t, s.File)
				looksLike(t, p, "h264", 160, 120)
				lasts(t, p, 1)
				if p.Audio() == nil {
					t.Errorf("segment %d is silent", i)
				}
			}
			list := read(t, filepath.Join(out, "index.m3u8"))
			if strings.Count(list, "#EXTINF:1.") != 3 || !strings.HasSuffix(list, "#EXT-X-ENDLIST\n") {
				t.Errorf("the playlist is\n%s", list)
			}
			d := w.last().Detail.(recordDetail)
			if w.last().Share < 0.9 || d.Playlist != filepath.Join(out, "index.m3u8") {
				t.Errorf("the last report is %+v", w.last())
			}
		})
	}
}

func TestRecordEncodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustDo(t, Record, fmt.Sprintf(`{"input": %q, "output": %q, "segment_seconds": 1, "duration_seconds": 2, "video": "vp8", "audio": {"codec": "opus"}}`,
		clip(t, 3), filepath.Join(dir, "cam-%03d.webm")))
	if got := filesIn(t, dir); !slices.Equal(got, []string{"cam-000.webm", "cam-001.webm", "cam.m3u8"}) {
		t.Errorf("made %q", got)
	}
	looksLike(t, look(t, filepath.Join(dir, "cam-001.webm")), "vp8", 160, 120)
}

// A recording that is stopped ends its last file properly.
func TestRecordStoppedIsPlayable(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	source := live(t, clip(t, 15))
	w, end := begin(t, Record, fmt.Sprintf(`{"input": %q, "output": %q, "format": "mp4", "segment_seconds": 1}`, source, out))
	w.await(t, "segment", func() bool { return slices.Contains(w.events, "segment") })
	_ = end()
	segments := w.heard("segment")
	for _, s := range segments {
		looksLike(t, look(t, s.(Segment).File), "h264", 160, 120)
	}
	if got := filesIn(t, out); len(got) != len(segments)+1 {
		t.Errorf("there are %q, and the events tell of %d segments", got, len(segments))
	}
	if list := read(t, filepath.Join(out, "index.m3u8")); !strings.HasSuffix(list, "#EXT-X-ENDLIST\n") {
		t.Errorf("the playlist has no end:\n%s", list)
	}
}

func TestRecordAppends(t *testing.T) {
	t.Parallel()
	in, out := clip(t, 1), t.TempDir()
	spec := func(existing string) string {
		return fmt.Sprintf(`{"input": %q, "output": %q, "existing": %q}`, in, out, existing)
	}
	mustDo(t, Record, spec("append"))
	if _, err := do(t, Record, spec("refuse")); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a recording over another is the error %v", err)
	}
	mustDo(t, Record, spec("append"))
	if got := filesIn(t, out); !slices.Equal(got, []string{"index.m3u8", "segment-00000.mkv", "segment-00001.mkv"}) {
		t.Errorf("made %q", got)
	}
	list := read(t, filepath.Join(out, "index.m3u8"))
	if strings.Count(list, "#EXTINF") != 2 || strings.Count(list, "#EXT-X-DISCONTINUITY\n") != 1 || strings.Count(list, "ENDLIST") != 1 {
		t.Errorf("the playlist is\n%s", list)
	}
	mustDo(t, Record, spec("replace"))
	if got := filesIn(t, out); !slices.Equal(got, []string{"index.m3u8", "segment-00000.mkv"}) {
		t.Errorf("after replace there are %q", got)
	}
}

// A live input that breaks is tried again, and the numbers go on.
func TestRecordRetries(t *testing.T) {
	t.Parallel()
	film, out := clip(t, 2), t.TempDir()
	source := live(t, film)
	w, end := begin(t, Record, fmt.Sprintf(`{"input": %q, "output": %q, "segment_seconds": 1, "retry_seconds": 50}`, source, out))
	w.await(t, "retry and more", func() bool {
		i := slices.Index(w.events, "retry")
		return i > 0 && slices.Contains(w.events[i:], "segment")
	})
	_ = end()
	if list := read(t, filepath.Join(out, "index.m3u8")); strings.Count(list, "#EXT-X-DISCONTINUITY\n") == 0 {
		t.Errorf("the playlist does not tell of the gap:\n%s", list)
	}
	seen := map[string]bool{}
	for _, s := range w.heard("segment") {
		if f := s.(Segment).File; seen[f] {
			t.Errorf("%s was written twice", f)
		} else {
			seen[f] = true
		}
	}
}

// live serves a film over HTTP as a camera would: as a stream without a length,
// at the pace at which it plays, from the beginning for each viewer.
func live(t *testing.T, film string) string {
	t.Helper()
	ffmpeg := tool(t).FFmpeg
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cam := run{
			program: ffmpeg, grace: 1, stdout: flushing(w),
			args: []string{"-loglevel", "error", "-nostdin", "-re", "-i", film, "-c", "copy", "-f", "matroska", "pipe:1"},
		}
		_ = cam.do(r.Context())
	}))
	t.Cleanup(server.Close)
	return server.URL + "/cam.mkv"
}
