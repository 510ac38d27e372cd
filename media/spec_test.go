package media

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
)

// Each bad spec gets an error that begins with the field, and says what to do.
// IN is a file that is there, DIR a directory.
func TestBadSpecs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := filepath.Join(dir, "in.mp4")
	write(t, in, "only its name counts")
	fill := strings.NewReplacer("IN", in, "DIR", dir)
	for _, c := range []struct{ kind, spec, want string }{
		{Record, ``, "a spec is missing: it is a JSON object with input, output,"},
		{Record, `null`, "a spec is missing"},
		{Record, `7`, "the spec must be a JSON object, not a number"},
		{Record, `{"input": "IN", "outptu": "DIR"}`, "outptu is unknown: did you mean output?"},
		{Record, `{"Input": "IN"}`, "Input is unknown: did you mean input?"},
		{Record, `{"input": "IN", "what": 1}`, "what is unknown: there are input, output,"},
		{Record, `{"input": 7}`, "input must be a string, not a number"},
		{Record, `{"output": "DIR/x"}`, "input: is missing"},
		{Record, `{"input": "IN"}`, "output: is missing"},
		{Record, `{"input": "DIR/none.mp4", "output": "DIR/x"}`, "input: stat DIR/none.mp4: no such file"},
		{Record, `{"input": "DIR", "output": "DIR/x"}`, "input: DIR is a directory"},
		{Record, `{"input": "-i", "output": "DIR/x"}`, `input: "-i" must not begin with a dash`},
		{Record, `{"input": "IN", "output": "-y"}`, `output: "-y" must not begin with a dash`},
		{Record, `{"input": "IN\u0000", "output": "DIR/x"}`, "input: \"IN\\x00\" must not have control"},
		{Record, `{"input": "concat:a|b", "output": "DIR/x"}`, "input: concat: is not allowed here"},
		{Record, `{"input": "pipe:0", "output": "DIR/x"}`, "input: pipe: is not allowed here"},
		{Record, `{"input": "subfile,,start,0,end,9,,:/etc/passwd", "output": "DIR/x"}`, "input: stat"},
		{Record, `{"input": "http:///x", "output": "DIR/x"}`, `input: "http:///x" is not a URL`},
		{Record, `{"input": "IN", "output": "http://a/b"}`, "output: http: is not allowed here"},
		{Record, `{"input": "IN", "output": "DIR/a%05d-%05d.mkv"}`, "output: \"DIR/a%05d-%05d.mkv\" must have one number"},
		{Record, `{"input": "IN", "output": "DIR/a%s.mkv"}`, "output: \"DIR/a%s.mkv\" must have one number"},
		{Record, `{"input": "IN", "output": "DIR/%d/a.mkv"}`, "output: DIR/%d/a.mkv must not have a % in"},
		{Record, `{"input": "IN", "output": "DIR/a.mkv"}`, "output: \"DIR/a.mkv\" must be a directory, or a pattern"},
		{Record, `{"input": "IN", "output": "DIR/x", "format": "mkw"}`, `format: "mkw" is unknown: did you mean "mkv"?`},
		{Record, `{"input": "IN", "output": "DIR/%d.ts", "format": "mp4"}`, `format: "mp4" is at odds with the output's ending .ts`},
		{Record, `{"input": "IN", "output": "DIR/x", "segment_seconds": -1}`, "segment_seconds: must be"},
		{Record, `{"input": "IN", "output": "DIR/x", "retry_seconds": 5}`, "retry_seconds: is for live inputs"},
		{Record, `{"input": "IN", "output": "DIR/x", "video": "none", "audio": {"codec": "none"}}`, "video: and audio.codec are both none"},
		{Record, `{"input": "IN", "output": "DIR/x", "video": "h246"}`, `video: "h246" is unknown: did you mean "h264"?`},
		{Record, `{"input": "IN", "output": "DIR/x", "video": "h264", "format": "webm"}`, "video: h264 has no place in webm"},
		{Record, `{"input": "IN", "output": "DIR/x", "audio": {"codec": "copy", "bitrate": 64000}}`, `audio.bitrate: says nothing where audio.codec is "copy"`},
		{Record, `{"input": "IN", "output": "DIR/x", "existing": "keep"}`, `existing: "keep" is unknown`},

		{Transcode, `{"input": "IN", "output": "DIR/x"}`, "ladder: must have from 1 to 16 rungs"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": {}}`, "ladder must be a JSON array, not a object"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{}]}`, "ladder[0].height: is missing"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 2}, {"hight": 2}]}`, "ladder[1].hight is unknown: did you mean height?"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 721}]}`, "ladder[0].height: 721 must be an even number"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72.5}]}`, "ladder.height must be a whole number"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72, "fps": -1}]}`, "ladder[0].fps: -1 must be"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72, "bitrate": "fast"}]}`, "bitrate fast is not one: write bits per second"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72, "bitrate": 1}]}`, "bitrate 1 is not one"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72, "codec": "mpeg4"}]}`, "ladder[0].codec: \"mpeg4\" is unknown"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72, "codec": "vp8"}]}`, "ladder[0].codec: vp8 has no place in mp4"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72, "crf": 52}]}`, "ladder[0].crf: 52 must be from 0 to 51"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72, "crf": 20, "bitrate": "1M"}]}`, "ladder[0].crf: and bitrate say both"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72, "preset": "slwo"}]}`, `ladder[0].preset: "slwo" is unknown: did you mean "slow"?`},
		{Transcode, `{"input": "IN", "output": "DIR/x", "container": "webm", "ladder": [{"height": 72, "preset": "slow"}]}`, "ladder[0].preset: is unknown to the encoder libvpx-vp9: use speed"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "keyframe_seconds": -1, "ladder": [{"height": 72}]}`, "keyframe_seconds: must be"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72}, {"height": 72}]}`, "output: in-72p.mp4 is what ladder[0] and ladder[1] would both be called"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "ladder": [{"height": 72}, {"width": 72}]}`, "output: has {height}, but ladder[1] has no height"},
		{Transcode, `{"input": "IN", "output": "DIR/{hight}.mp4", "ladder": [{"height": 72}]}`, "output: {hight} is unknown"},
		{Transcode, `{"input": "IN", "output": "IN", "ladder": [{"height": 72}]}`, "output: IN is the input"},
		{Transcode, `{"input": "IN", "output": "DIR/x", "speed": "faster", "ladder": [{"height": 72}]}`, `speed: "faster" is unknown: did you mean "fastest"?`},
		{Transcode, `{"input": "IN", "output": "DIR/x", "container": "webm", "audio": {"codec": "aac"}, "ladder": [{"height": 72}]}`, "audio.codec: aac has no place in webm: choose opus"},

		{Stream, `{"input": "IN", "output": "DIR/x.mp4"}`, "output: \"DIR/x.mp4\" is a file: give a URL"},
		{Stream, `{"input": "IN", "output": "http://host/x"}`, "output: over http only HLS can be sent"},
		{Stream, `{"input": "IN", "output": "tee:a"}`, "output: tee: is not allowed"},
		{Stream, `{"input": "IN", "output": "rtmp://h/x", "segments": 3}`, "segment_seconds: and segments are for HLS"},
		{Stream, `{"input": "rtmp://h/x", "output": "rtmp://h/y", "loop": true}`, "loop: is for files"},
		{Stream, `{"input": "rtmp://h/x", "output": "rtmp://h/y", "realtime": true}`, "realtime: is for files"},
		{Stream, `{"input": "IN", "output": "rtmp://h/y", "retry_seconds": 3}`, "retry_seconds: needs a live input, or loop"},
		{Stream, `{"input": "IN", "output": "rtmp://h/y", "height": 72}`, `video: is "copy", which height, width, fps and bitrate do not change`},
		{Stream, `{"input": "IN", "output": "rtmp://h/y", "video": "vp8"}`, "video: vp8 has no place in rtmp"},

		{Mix, `{"output": "DIR/x.mp4"}`, "inputs: must have from 1 to 64 inputs"},
		{Mix, `{"inputs": ["IN"], "output": "DIR/x.mp4"}`, "inputs must be a JSON object, not a string"},
		{Mix, `{"inputs": [{"url": "IN"}, {}], "output": "DIR/x.mp4"}`, "inputs[1].url: is missing"},
		{Mix, `{"inputs": [{"url": "IN", "volume": -1}], "output": "DIR/x.mp4"}`, "inputs[0].volume: -1 must be"},
		{Mix, `{"inputs": [{"url": "IN", "video": false, "audio": false}], "output": "DIR/x.mp4"}`, "inputs[0].video: and audio are both false"},
		{Mix, `{"inputs": [{"url": "IN"}], "output": "DIR/x"}`, "container: is missing: the output DIR/x has none of the endings"},
		{Mix, `{"inputs": [{"url": "IN"}], "output": "IN"}`, "output: IN is an input"},
		{Mix, `{"inputs": [{"url": "IN"}], "output": "DIR/x.mp4", "width": 320}`, "width: and height must be given together"},
		{Mix, `{"inputs": [{"url": "IN"}], "output": "DIR/x.mp4", "layout": "gird"}`, `layout: "gird" is unknown: did you mean "grid"?`},
		{Mix, `{"inputs": [{"url": "IN"}], "output": "DIR/x.mp4", "audio": {"codec": "copy"}}`, "audio.codec: cannot be copy"},
		{Mix, `{"inputs": [{"url": "IN"}], "output": "rtmp://h/x", "container": "mp4"}`, "container: is for files"},

		{Analyse, `{"input": "IN"}`, "detect: is missing: name one or more of black, silence"},
		{Analyse, `{"input": "IN", "detect": {"blak": {}}}`, "detect.blak is unknown: did you mean black?"},
		{Analyse, `{"input": "IN", "detect": {"black": {"min": 1}}}`, "detect.black.min is unknown"},
		{Analyse, `{"input": "IN", "detect": {"black": {"pixel": 2}}}`, "detect.black.pixel: 2 must be from 0 to 1"},
		{Analyse, `{"input": "IN", "detect": {"silence": {"noise_db": 6}}}`, "detect.silence.noise_db: 6 must be"},
		{Analyse, `{"input": "udp://h:1", "realtime": true, "detect": {"black": {}}}`, "realtime: is for files"},
	} {
		err := workOf(t, c.kind, Options{}).Check(json.RawMessage(fill.Replace(c.spec)))
		if want := fill.Replace(c.want); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s %s\n  is the error %v\n  and should be %s...", c.kind, c.spec, err, want)
		}
	}
}

// Arguments of a task's own are for workers whose operator allows them, and then
// stand before each output.
func TestArgumentsOfTheTask(t *testing.T) {
	t.Parallel()
	in, out := clip(t, 1), t.TempDir()
	spec := `{"input": "` + in + `", "output": "` + out + `/x.mp4", "ladder": [{"height": 60}], "speed": "fastest", "ffmpeg_args": ["-metadata", "title=A title"]}`
	err := workOf(t, Transcode, Options{}).Check(json.RawMessage(spec))
	var says causedError
	if !errors.As(err, &says) || says.cause != muster.CauseWorker || !strings.HasPrefix(err.Error(), "ffmpeg_args: are not allowed on this worker: its operator can allow them with muster agent --allow-ffmpeg-args") {
		t.Errorf("without the operator's leave: %v", err)
	}
	if err := workOf(t, Transcode, Options{AllowArgs: true}).run(within(t), json.RawMessage(spec), "n1", newWatcher()); err != nil {
		t.Fatal(err)
	}
	said, err := output(within(t), tool(t).FFprobe, "-v", "error", "-show_entries", "format_tags=title", "-of", "csv=p=0", filepath.Join(out, "x.mp4"))
	if err != nil || strings.TrimSpace(string(said)) != "A title" {
		t.Errorf("the title is %q, %v", said, err)
	}
	if _, err := New(Transcode, tool(t), Options{AllowArgs: true, Root: out}); err == nil {
		t.Error("a root and arguments together were taken")
	}
	for from, to := range map[string]string{`"speed"`: `"split": true, "speed"`, `"-metadata"`: `"a\u0000"`} {
		bad := strings.Replace(spec, from, to, 1)
		if err := workOf(t, Transcode, Options{AllowArgs: true}).Check(json.RawMessage(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestUnknownKind(t *testing.T) {
	t.Parallel()
	if _, err := New("recrod", tool(t), Options{}); err == nil || !strings.Contains(err.Error(), `did you mean "record"?`) {
		t.Errorf("an unknown kind is the error %v", err)
	}
	if _, err := New(Record, tool(t), Options{Root: filepath.Join(t.TempDir(), "none")}); err == nil || !strings.Contains(err.Error(), "must be a directory that exists") {
		t.Errorf("a root that is not there is the error %v", err)
	}
}

// Under a root nothing outside can be read or written, by whatever way.
func TestRootKeepsFilesInside(t *testing.T) {
	t.Parallel()
	outside, root := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret.mp4")
	write(t, secret, "x")
	write(t, filepath.Join(root, "in.mp4"), "x")
	for link, to := range map[string]string{"link.mp4": secret, "dir": outside, "dangling": filepath.Join(outside, "new")} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	work := workOf(t, Record, Options{Root: root})
	check := func(in, out string) error {
		spec, _ := json.Marshal(map[string]string{"input": in, "output": out})
		return work.Check(spec)
	}
	for _, in := range []string{secret, "file://" + secret, "file:" + secret, "../x.mp4", "link.mp4", "dir/secret.mp4", "a/../../x.mp4", "FILE:" + secret} {
		if err := check(in, "out"); err == nil || !strings.HasPrefix(err.Error(), "input: ") || !strings.Contains(err.Error(), "outside") && !strings.Contains(err.Error(), "link to nothing") {
			t.Errorf("the input %s is the error %v", in, err)
		}
	}
	for _, out := range []string{outside, "../out", "dir/out", "dangling/out", "dangling", filepath.Join(outside, "%d.mkv")} {
		if err := check("in.mp4", out); err == nil || !strings.HasPrefix(err.Error(), "output: ") {
			t.Errorf("the output %s is the error %v", out, err)
		}
	}
	for _, out := range []string{"out", filepath.Join(root, "new", "%05d.mkv")} {
		if err := check("in.mp4", out); err != nil {
			t.Errorf("the output %s is the error %v", out, err)
		}
	}
}

// A mount shows its files under its name, and nothing beside them; a worker
// without it is the wrong one, not the spec.
func TestMounts(t *testing.T) {
	t.Parallel()
	root, films := t.TempDir(), t.TempDir()
	write(t, filepath.Join(films, "a.mp4"), "x")
	work := workOf(t, Record, Options{Root: root, Mounts: map[string]string{"films": films}})
	check := func(in, out string) error {
		spec, _ := json.Marshal(map[string]string{"input": in, "output": out})
		return work.Check(spec)
	}
	if err := check("mount:films/a.mp4", "mount:films/rec"); err != nil {
		t.Error(err)
	}
	for in, want := range map[string]string{
		"mount:films/../x.mp4": "through this mount", "mount:other/a.mp4": "has no mount", "mount:films/none.mp4": "no such file", filepath.Join(films, "a.mp4"): "outside",
	} {
		err := check(in, "out")
		var says causedError
		atWorker := errors.As(err, &says) && says.cause == muster.CauseWorker
		if err == nil || !strings.Contains(err.Error(), want) || atWorker == (want == "through this mount") {
			t.Errorf("%s is the error %v, at the worker: %v", in, err, atWorker)
		}
	}
	for spec, want := range map[string]string{
		`{"input": "mount:films/a.mp4", "output": "mount:new/b"}`: "films new", `{"inputs": [{"url": "mount:b/x"}, {"url": "c"}]}`: "b", `{"input": "a"}`: "",
	} {
		if got := strings.Join(Mounts(json.RawMessage(spec)), " "); got != want {
			t.Errorf("%s has the mounts %q, not %q", spec, got, want)
		}
	}
	for _, mounts := range []map[string]string{{"a b": films}, {"a": "relative"}, {"a": filepath.Join(films, "none")}} {
		if _, err := New(Record, tool(t), Options{Mounts: mounts}); err == nil {
			t.Errorf("the mounts %v were taken", mounts)
		}
	}
}

// A playlist inside may name files outside: under a root it is no input.
func TestRootReadsNoPlaylists(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), clip(t, 1)
	write(t, filepath.Join(root, "list.txt"), "ffconcat version 1.0\nfile '"+outside+"'\n")
	write(t, filepath.Join(root, "list.m3u8"), "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n"+outside+"\n#EXT-X-ENDLIST\n")
	work := workOf(t, Record, Options{Root: root})
	for _, list := range []string{"list.txt", "list.m3u8"} {
		err := work.run(within(t), json.RawMessage(`{"input": "`+list+`", "output": "out"}`), "n", newWatcher())
		if err == nil || !strings.Contains(err.Error(), "is a playlist") || !strings.Contains(err.Error(), "another --root") {
			t.Errorf("%s is the error %v", list, err)
		}
		if p, _, _ := segmentsOf(filepath.Join(root, "out", "segment-%05d.mkv")); len(p) != 0 {
			t.Errorf("through %s came %q", list, p)
		}
	}
}

// Relative paths become those of a directory, and nothing else changes.
func TestPathsFromADirectory(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		`{"input":"a.mp4","output":"out/","ladder":[]}`:            `{"input":"/d/a.mp4","ladder":[],"output":"/d/out"}`,
		`{"mix":{"inputs":[{"url":"b/../a.mp4","volume":1e400}]}}`: `{"mix":{"inputs":[{"url":"/d/a.mp4","volume":1e400}]}}`,
		`{"input":"mount:films/a.mp4","output":"s3://b/k"}`:        `{"input":"mount:films/a.mp4","output":"s3://b/k"}`,
		`{"input":"/a.mp4","output":"http://h/x"}`:                 `{"input":"/a.mp4","output":"http://h/x"}`,
		`{"input":"-a.mp4","output":""}`:                           `{"input":"-a.mp4","output":""}`,
		`{"input":7,"inputs":"x"}`:                                 `{"input":7,"inputs":"x"}`,
		`["a.mp4"]`:                                                `["a.mp4"]`,
	} {
		if got := string(FromDir(Transcode, json.RawMessage(spec), "/d")); got != want {
			t.Errorf("%s becomes %s", spec, got)
		}
	}
}

// What ffmpeg takes for a pattern, and what it writes beside its output, are names
// that no check has seen: under a root none of them leads outside.
func TestRootOpensNoOtherNames(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	input, secret := clip(t, 1), filepath.Join(outside, "secret")
	text, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	link := func(to, name string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.Symlink(to, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "in.mp4"), string(text))
	write(t, filepath.Join(root, "frame-%d.png"), "this name is checked")
	link(secret, filepath.Join(root, "frame-1.png"))
	record, stream := workOf(t, Record, Options{Root: root}), workOf(t, Stream, Options{Root: root})
	err = record.Check(json.RawMessage(`{"input": "frame-%d.png", "output": "frames"}`))
	if err == nil || !strings.Contains(err.Error(), "must not have a %") {
		t.Errorf("a pattern is an input: %v", err)
	}
	for i, c := range []struct {
		work runner
		spec string
		link string
	}{
		{record, `{"input": "in.mp4", "output": "out%d"}`, "index.m3u8.partial"},
		{record, `{"input": "in.mp4", "output": "out%d", "existing": "append"}`, "segment-00000.mkv"},
		{stream, `{"input": "in.mp4", "output": "out%d/live.m3u8"}`, "live.m3u8.tmp"},
		{stream, `{"input": "in.mp4", "output": "out%d/live.m3u8"}`, "live-00000.ts.tmp"},
	} {
		write(t, secret, "secret")
		link(secret, filepath.Join(root, fmt.Sprint("out", i), c.link))
		err := c.work.run(within(t), json.RawMessage(fmt.Sprintf(c.spec, i)), "n", newWatcher())
		if err == nil || !strings.Contains(err.Error(), "is a link") {
			t.Errorf("%s is a link: %v", c.link, err)
		}
		if now, _ := os.ReadFile(secret); string(now) != "secret" {
			t.Errorf("through %s the file outside became %.40q", c.link, now)
		}
	}
}
