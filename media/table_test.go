package media

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/muster-fleet/muster/media/clips"
)

// tableRow is an awkward input in one kind of work, and what has to come of it.
type tableRow struct {
	clip, kind string
	// more are members of the spec beside input and output, as JSON.
	more string
	// want is "refused: " with a part of the reason, or facts of the result as
	// key=value, with the names of the warnings behind a !.
	want string
}

var table = []tableRow{
	// Inputs that are as they should be.
	{"film.mp4", Transcode, "", "v=h264 size=320x180 secs=3 frames=75 a=aac"},
	{"film.mp4", Record, "", "v=h264 secs=3 frames=75 a=aac"},
	{"film.mp4", Stream, "", "v=h264 secs=3 frames=75 a=aac"},
	{"film.mp4", Mix, "", "v=h264 size=320x180 secs=3 frames=75 a=aac color=bt709"},
	{"film.mp4", Analyse, "", "done"},

	{"film.mp4", Transcode, `"keyframe_seconds": 1, "ladder": [{"height": 180, "crf": 30, "preset": "superfast"}]`, "keys=3 frames=75"},
	{"film.mp4", Transcode, `"keyframe_seconds": 1, "container": "mkv", "ladder": [{"height": 180, "codec": "av1", "bitrate": "300k"}]`, "v=av1 keys=3 frames=75"},
	{"film.mp4", Transcode, `"keyframe_seconds": 1, "container": "mkv", "ladder": [{"height": 180, "codec": "av1", "encoder": "libaom-av1", "bitrate": "300k"}]`, "v=av1 keys=3 frames=75"},
	{"film.mp4", Transcode, `"keyframe_seconds": 1, "ladder": [{"height": 180, "codec": "h265", "crf": 30}]`, "v=h265 tag=hvc1 keys=3"},

	{"film.mp4", Transcode, `"two_pass": true, "ladder": [{"height": 180, "bitrate": "200k"}, {"height": 90, "bitrate": "100k"}], "output": "OUT/{height}.mp4"`, "v=h264 files=180.mp4,90.mp4 frames=75 size=320x180 a=aac"},
	{"tracks.mkv", Transcode, `"two_pass": true, "audio_tracks": "all", "subtitles": "keep", "output": "OUT/x.mkv", "ladder": [{"height": 180, "bitrate": "200k", "codec": "vp9"}]`, "v=vp9 frames=75 tracks=2 subs=1"},
	{"film.mp4", Transcode, `"two_pass": true`, "refused: two_pass: needs a bitrate, which ladder[0] lacks"},
	{"film.mp4", Transcode, `"ladder": [{"height": 90, "pix_fmt": "yuv422p10le"}]`, "v=h264 pix=yuv422p10le frames=75"},
	{"film.mp4", Transcode, `"ladder": [{"height": 90, "codec": "h264_B", "pix_fmt": "yuv444p"}]`, "refused: ladder[0].pix_fmt: "},
	{"pq.mkv", Transcode, `"ladder": [{"height": 90, "codec": "h265", "pix_fmt": "yuv420p10le"}]`, "pix=yuv420p10le trc=bt709 !tonemapped"},
	{"film.mp4", Transcode, `"loudness": {"target_lufs": -16}`, "a=aac loud=-16.8..-15.2"},
	{"side.mkv", Transcode, `"container": "mkv", "audio": {"codec": "opus"}, "loudness": {}`, "a=opus channels=6 loud=-24..-22"},
	{"film.mp4", Transcode, `"loudness": {"target_lufs": -16}, "audio": {"codec": "copy"}`, "refused: loudness: changes the sound"},

	// Packages and thumbnails.
	{"film.mp4", Package, `"ladder": [{"height": 180, "bitrate": "300k"}, {"height": 90, "codec": "h265"}]`, "v=h264 size=320x180 secs=3 frames=75 a=aac videos=2 tracks=1"},
	{"film.mp4", Package, `"formats": ["hls"], "audio": {"codec": "none"}, "ladder": [{"height": 90}, {"height": 720}]`, "v=h264 size=160x90 frames=75 a= videos=1 !rung_skipped"},
	{"tracks.mkv", Package, `"audio_tracks": "all"`, "v=h264 tracks=2 !subtitles_dropped"},
	{"browser.webm", Package, "", "v=h264 frames=85..95"},
	{"turned.mp4", Package, `"ladder": [{"height": 320}]`, "size=180x320"},
	{"pq.mkv", Package, `"hdr": "keep", "ladder": [{"height": 90, "codec": "h265"}]`, "pix=yuv420p10le trc=smpte2084 tag=hvc1"},
	{"half.mp4", Package, "", "refused: input: the input ends early"},
	{"half.mp4", Package, `"on_short": "warn"`, "secs=1.5 !damaged,short"},
	{"broken.mp4", Package, "", "refused: Invalid data found"},
	{"locked.mp4", Package, "", "refused: is encrypted: decrypt it first"},
	{"song.m4a", Package, "", "refused: has no picture"},
	{"film.mp4", Package, `"audio": {"codec": "copy"}`, "refused: audio.codec: must not be copy"},
	{"film.mp4", Thumbnails, "", "v=mjpeg size=320x90 cues=3"},
	{"film.mp4", Thumbnails, `"every_seconds": 10, "columns": 1`, "size=160x90 cues=1"},
	{"turned.mp4", Thumbnails, `"width": 0, "height": 160`, "size=180x160 cues=3"},
	{"cover.mkv", Thumbnails, "", "size=320x90 cues=3"},
	{"pq.mkv", Thumbnails, "", "cues=3 !tonemapped"},
	{"turning.ts", Thumbnails, "", "size=320x90 cues=3..4"},
	{"half.mkv", Thumbnails, "", "refused: input: the input ends early"},
	{"half.mkv", Thumbnails, `"on_short": "warn"`, "cues=2 !short"},
	{"song.m4a", Thumbnails, "", "refused: has no picture"},
	{"broken.mp4", Thumbnails, "", "refused: Invalid data found"},

	// Inputs that end early.
	{"half.mp4", Transcode, "", "refused: input: the input ends early"},
	{"half.mp4", Transcode, `"on_short": "warn"`, "v=h264 secs=1.5 a=aac !damaged,short"},
	{"half.mp4", Record, "", "refused: input: the input ends early"},
	{"half.mp4", Stream, "", "refused: input: the input ends early"},
	{"half.mp4", Mix, "", "refused: input: the input ends early"},
	{"half.mp4", Analyse, "", "refused: input: the input ends early"},
	{"half.mp4", Analyse, `"on_short": "warn"`, "!damaged,short"},
	{"half.mkv", Transcode, "", "refused: input: the input ends early"},
	{"half.mkv", Record, "", "refused: input: the input ends early"},
	{"half.mkv", Stream, `"on_short": "warn"`, "v=h264 secs=1.5 !short"},
	{"half.mkv", Mix, "", "refused: input: the input ends early"},
	{"half.mkv", Analyse, "", "refused: input: the input ends early"},
	{"hurt.ts", Transcode, "", "v=h264 secs=3 !damaged"},
	{"half.mkv", Package, "", "refused: input: the input ends early"},
	{"half.mp4", Thumbnails, "", "refused: input: the input ends early"},
	{"half.webm", Record, "", "refused: input: the input ends early"},
	{"half.flv", Stream, `"video": "h264"`, "refused: input: the input ends early"},
	{"half.mxf", Transcode, "", "refused: input: the input ends early"},
	{"half.mov", Transcode, "", "refused: moov atom not found"},
	{"half.avi", Transcode, "", "refused: input: the input ends early"},
	{"half.avi", Record, "", "refused: input: the input ends early"},
	{"half.wmv", Transcode, "", "refused: input: the input ends early"},
	{"half.wav", Record, "", "refused: input: the input ends early"},
	{"half.wav", Analyse, `"detect": {"silence": {}}, "on_short": "warn"`, "!damaged,short"},
	{"half.wav", Mix, "", "refused: input: the input ends early"},
	{"film.avi", Transcode, "", "secs=3"},
	{"film.wmv", Transcode, "", "secs=3"},
	{"song.wav", Record, "", "secs=3"},
	{"copying.mp4", Transcode, "", "refused: input: the input ends early"},
	{"copying.mp4", Record, "", "refused: input: the input ends early"},
	{"copying.mp4", Record, `"on_short": "warn"`, "v=h264 !short"},
	{"copying.mp4", Analyse, "", "refused: input: the input ends early"},
	{"http:half.mp4", Record, "", "refused: input: the input ends early"},
	{"broken.mp4", Transcode, "", "refused: Invalid data found"},
	{"broken.mp4", Record, "", "refused: Invalid data found"},
	{"broken.mp4", Stream, "", "refused: Invalid data found"},
	{"broken.mp4", Mix, "", "refused: inputs[0].url: "},
	{"broken.mp4", Analyse, "", "refused: Invalid data found"},
	{"empty.mp4", Transcode, "", "refused: Invalid data found"},
	{"film.mp4", Transcode, `"start_seconds": 7`, "refused: start_seconds: 7 is past the end of the input, which lasts 3.00 s"},
	{"film.mp4", Package, `"start_seconds": 7`, "refused: start_seconds: 7 is past the end of the input, which lasts 3.00 s"},
	{"film.ts", Transcode, `"start_seconds": 7`, "refused: start_seconds: 7 is past the end of the input"},
	{"film.mp4", Transcode, `"start_seconds": 2.999`, "refused: output: no video came out"},
	{"film.mp4", Transcode, `"start_seconds": 1`, "frames=50 secs=2"},

	// Which stream is the film, and which sound.
	{"cover.mkv", Transcode, "", "v=h264 size=320x180 frames=75"},
	{"cover.mkv", Record, "", "v=h264 size=320x180 frames=75"},
	{"cover.mkv", Stream, "", "v=h264 size=320x180 frames=75"},
	{"cover.mkv", Mix, "", "v=h264 size=320x180 frames=75 red=no"},
	{"cover.mkv", Analyse, "", "frames=75"},
	{"live:cover.mkv", Record, "", "v=h264 size=320x180 frames=75"},
	{"live:cover.mkv", Stream, `"video": "h264"`, "v=h264 size=320x180 frames=75"},
	{"sleeve.m4a", Record, "", "v= a=aac secs=3"},
	{"sleeve.m4a", Transcode, "", "refused: has no picture"},
	{"tracks.mkv", Transcode, "", "a=aac tracks=1 pitch=880 subs=0 !audio_dropped,subtitles_dropped"},
	{"tracks.mkv", Transcode, `"audio_tracks": "all", "subtitles": "keep"`, "tracks=2 subs=1"},
	{"tracks.mkv", Transcode, `"languages": ["en"]`, "tracks=1 pitch=440 !audio_dropped,subtitles_dropped"},
	{"tracks.mkv", Transcode, `"languages": ["fr"]`, "refused: languages: has none that the input has: it has ger, eng"},
	{"tracks.mkv", Transcode, `"subtitles": "burn"`, "v=h264 frames=75 !audio_dropped"},
	{"dark.mkv", Transcode, `"subtitles": "burn", "start_seconds": 1`, "peak=150.."},
	{"dark.mkv", Transcode, `"start_seconds": 1`, "peak=0..20 !subtitles_dropped"},
	{"tracks.mkv", Analyse, `"detect": {"loudness": {}}`, "!audio_dropped"},
	{"live:tracks.mkv", Stream, "", "tracks=1 pitch=880 !audio_dropped,subtitles_dropped"},
	{"live:tracks.mkv", Record, "", "tracks=2 !subtitles_dropped"},
	{"tracks.mkv", Record, "", "tracks=2 !subtitles_dropped"},
	{"tracks.mkv", Stream, "", "tracks=1 pitch=880 !audio_dropped,subtitles_dropped"},
	{"tracks.mkv", Mix, "", "pitch=880 !audio_dropped,subtitles_dropped"},
	{"song.m4a", Transcode, "", "refused: has no picture"},
	{"song.m4a", Record, "", "v= a=aac secs=3"},
	{"mute.mp4", Transcode, "", "v=h264 a= frames=75"},

	// Timing.
	{"sync.mkv", Transcode, "", "sync=0"},
	{"late.mkv", Transcode, "", "sync=1"},
	{"late.mkv", Record, `"format": "mkv"`, "sync=1"},
	{"late.mkv", Mix, "", "sync=1"},
	{"sync.mkv", Mix, "", "sync=0"},
	{"late.mkv", Stream, `"audio": {"codec": "aac"}`, "sync=1"},
	{"late.mkv", Stream, `"video": "h264", "audio": {"codec": "aac"}`, "sync=1"},
	{"late.mkv", Record, `"video": "h264", "audio": {"codec": "opus"}`, "sync=1"},
	{"late.mkv", Package, "", "sync=1"},
	{"slow.mkv", Transcode, "", "sync=-1"},
	{"slow.mkv", Record, "", "sync=-1"},
	{"slow.mkv", Stream, `"audio": {"codec": "aac"}`, "sync=-1"},
	{"slow.mkv", Mix, "", "sync=-1"},
	{"slow.mkv", Package, "", "sync=-1"},
	{"ntsc.mp4", Transcode, "", "fps=30000/1001"},
	{"film.mp4", Transcode, `"ladder": [{"height": 180, "fps": 29.97}]`, "fps=30000/1001 secs=3"},
	{"browser.webm", Transcode, "", "frames=85..95 level=..13"},
	{"browser.webm", Record, `"video": "h264", "format": "ts"`, "frames=85..95 level=..13"},
	{"browser.webm", Stream, `"video": "h264"`, "frames=85..95 level=..13"},
	{"browser.webm", Mix, "", "frames=70..80"},
	{"live:browser.webm", Record, `"video": "h264", "format": "ts"`, "frames=85..95 level=..13"},
	{"live:browser.webm", Stream, `"video": "h264"`, "frames=85..95 level=..13"},

	// Shape.
	{"turning.ts", Transcode, "", "size=320x180 frames=70..80 bars=yes"},
	{"turning.ts", Record, `"video": "h264"`, "size=320x180 frames=70..80 bars=yes"},
	{"live:turning.ts", Stream, `"video": "h264"`, "size=320x180 frames=70..80 bars=yes"},
	{"turning.ts", Stream, `"video": "h264"`, "size=320x180 frames=70..80 bars=yes"},
	{"turning.ts", Mix, "", "size=320x180 frames=70..80 secs=3 bars=yes"},
	{"pal.mp4", Transcode, `"ladder": [{"height": 144}]`, "size=256x144 sar=1:1"},
	{"pal.mp4", Mix, "", "size=320x180 sar=1:1"},
	{"pal.mp4", Stream, `"video": "h264"`, "size=256x144 sar=1:1"},
	{"turned.mp4", Transcode, `"ladder": [{"height": 320}]`, "size=180x320 turn=0"},
	{"turned.mp4", Record, `"format": "mkv"`, "refused: video: is copy, but mkv cannot say that the picture is turned by 90 degrees"},
	{"turned.mp4", Record, `"format": "mp4"`, "turn=90"},
	{"turned.mp4", Record, `"video": "h264"`, "size=180x320 turn=0"},
	{"turned.mp4", Stream, "", "refused: video: is copy, but ts cannot say that the picture is turned"},
	{"turned.mp4", Mix, "", "turn=0 bars=yes"},
	{"http:turned.mp4", Record, `"format": "mkv"`, "refused: video: is copy, but mkv cannot say that the picture is turned by 90 degrees"},
	{"film.mp4", Transcode, `"ladder": [{"height": 720}, {"height": 90}], "output": "OUT/{height}.mp4"`, "files=90.mp4 !rung_skipped"},
	{"film.mp4", Transcode, `"ladder": [{"height": 720}]`, "refused: ladder: has only rungs that are larger than the input, which is 320 x 180"},
	{"film.mp4", Transcode, `"ladder": [{"height": 360}], "upscale": true`, "size=640x360"},
	{"film.mp4", Stream, `"video": "h264", "height": 720`, "refused: height: and width make the picture larger"},
	{"odd.mkv", Transcode, `"ladder": [{"height": 90}]`, "size=160x90"},
	{"odd.mkv", Record, `"video": "h264"`, "size=320x180"},
	{"odd.mkv", Stream, `"video": "h264"`, "size=320x180"},

	// Colours and fields.
	{"pq.mkv", Transcode, "", "pix=yuv420p color=bt709 trc=bt709 !tonemapped"},
	{"pq.mkv", Transcode, `"hdr": "keep", "ladder": [{"height": 180, "codec": "h265"}]`, "pix=yuv420p10le trc=smpte2084 tag=hvc1"},
	{"pq.mkv", Transcode, `"hdr": "refuse"`, "refused: input: stream 0 is HDR (smpte2084), and hdr is refuse"},
	{"pq.mkv", Transcode, `"hdr": "keep"`, "refused: hdr: cannot be keep where ladder[0].codec is h264"},
	{"pq.mkv", Record, `"video": "h264"`, "pix=yuv420p trc=bt709 !tonemapped"},
	{"pq.mkv", Record, "", "trc=smpte2084"},
	{"pq.mkv", Record, `"format": "mp4"`, "tag=hvc1"},
	{"pq.mkv", Stream, `"video": "h264"`, "pix=yuv420p trc=bt709 !tonemapped"},
	{"pq.mkv", Mix, "", "pix=yuv420p color=bt709 trc=bt709 !tonemapped"},
	{"hlg.mkv", Transcode, "", "pix=yuv420p color=bt709 trc=bt709 !tonemapped"},
	{"hlg.mkv", Transcode, `"hdr": "keep", "container": "mkv", "ladder": [{"height": 180, "codec": "vp9"}]`, "pix=yuv420p10le trc=arib-std-b67"},
	{"hlg.mkv", Transcode, `"hdr": "keep", "container": "mkv", "ladder": [{"height": 180, "codec": "av1", "bitrate": "300k"}]`, "pix=yuv420p10le trc=arib-std-b67"},
	{"hlg.mkv", Mix, "", "pix=yuv420p color=bt709 trc=bt709 !tonemapped"},
	{"live:pq.mkv", Stream, `"video": "h264"`, "pix=yuv420p trc=bt709 !tonemapped"},
	{"live:pq.mkv", Record, `"format": "mp4"`, "tag=hvc1"},
	{"hev1.mp4", Record, `"format": "mp4"`, "tag=hvc1"},
	{"film.mp4", Mix, `"video": "h265"`, "tag=hvc1"},
	{"full.mp4", Transcode, "", "pix=yuv420p peak=200..240"},
	{"full.mp4", Record, `"video": "h264"`, "pix=yuv420p peak=200..240"},
	{"full.mp4", Stream, `"video": "h264"`, "peak=200..240"},
	{"full.mp4", Mix, "", "pix=yuv420p range=tv peak=200..240"},
	{"interlaced.ts", Transcode, "", "field=progressive frames=74..76 combed=no"},
	{"interlaced.ts", Transcode, `"deinterlace": "off"`, "combed=yes"},
	{"interlaced.ts", Record, `"video": "h264"`, "field=progressive combed=no"},
	{"interlaced.ts", Mix, "", "frames=74..76 combed=no"},
	{"interlaced.ts", Stream, `"video": "h264"`, "combed=no"},
	{"alpha.webm", Transcode, "", "pix=yuv420p !alpha_dropped"},
	{"alpha.mov", Transcode, "", "pix=yuv420p !alpha_dropped"},
	{"alpha.mov", Record, `"video": "h264"`, "pix=yuv420p !alpha_dropped"},
	{"alpha.mov", Stream, `"video": "h264"`, "pix=yuv420p !alpha_dropped"},
	{"alpha.mov", Mix, "", "pix=yuv420p !alpha_dropped"},
	{"alpha.mov", Package, "", "pix=yuv420p !alpha_dropped"},
	{"alpha.mov", Thumbnails, "", "cues=3 !alpha_dropped"},

	// What a container cannot carry.
	{"vp8.webm", Stream, "", "refused: video: is copy, but ts cannot carry vp8: choose one of h264, h265"},
	{"prores.mov", Stream, "", "refused: video: is copy, but ts cannot carry prores"},
	{"mulaw.mkv", Stream, "", "refused: audio.codec: is copy, but ts cannot carry pcm_mulaw: choose one of aac, mp3, opus"},
	{"http:vp8.webm", Stream, "", "refused: video: is copy, but ts cannot carry vp8: choose one of h264, h265"},
	{"live:mulaw.mkv", Stream, "", "refused: audio.codec: is copy, but ts cannot carry pcm_mulaw"},
	{"live:vp8.webm", Record, `"format": "ts"`, "refused: video: is copy, but ts cannot carry vp8"},
	{"pq.mkv", Stream, `"output": "rtmp://127.0.0.1:9/x"`, "refused: video: is copy, but rtmp cannot carry h265: choose one of h264"},
	{"film.mp4", Transcode, `"container": "webm", "ladder": [{"height": 90}], "audio": {"codec": "aac"}`, "refused: audio.codec: aac has no place in webm"},
	{"mulaw.mkv", Transcode, `"audio": {"codec": "copy"}`, "refused: audio.codec: is copy, but mp4 cannot carry pcm_mulaw"},
	{"b.avi", Stream, "", "refused: video: is copy, but avi has no times for pictures in another order"},
	{"tcp:vp8.webm", Record, `"format": "ts"`, "refused: video: is copy, but ts cannot carry vp8"},
	{"tcp:mulaw.mkv", Stream, "", "refused: audio.codec: is copy, but ts cannot carry pcm_mulaw"},
	{"tcp:pq.mkv", Record, `"format": "mp4"`, "v=h265 tag=hvc1 frames=75 files=index.m3u8,segment-00000.mp4"},
	{"tcp:pq.mkv", Stream, `"video": "h264"`, "pix=yuv420p trc=bt709 frames=75 !tonemapped"},
	{"tcp:pq.mkv", Record, `"video": "h264", "hdr": "refuse"`, "refused: stream 0 is HDR (smpte2084), and hdr is refuse"},
	{"tcp:interlaced.ts", Record, `"video": "h264"`, "field=progressive combed=no"},
	{"tcp:side.mkv", Stream, `"audio": {"codec": "opus"}`, "a=opus channels=6"},
	{"tcp:sixteen.mkv", Record, `"audio": {"codec": "opus"}`, "a=opus channels=2 !channels_mixed"},
	{"tcp:film.ts", Stream, `"output": "rtsp://127.0.0.1:9/x"`, "refused: audio.codec: is copy, but aac from mpegts lacks the header"},
	{"prores.mov", Record, `"format": "ts"`, "refused: video: is copy, but ts cannot carry prores"},
	{"prores.mov", Record, `"format": "mkv"`, "v=prores a=pcm_s16le"},
	{"vp8.webm", Record, `"format": "webm"`, "v=vp8 a=vorbis"},
	{"film.ts", Stream, `"output": "rtsp://127.0.0.1:9/x"`, "refused: audio.codec: is copy, but aac from mpegts lacks the header"},
	{"b.avi", Record, "", "refused: video: is copy, but avi has no times for pictures in another order"},
	{"b.avi", Transcode, "", "frames=75"},
	{"locked.mp4", Transcode, "", "refused: is encrypted: decrypt it first"},
	{"locked.mp4", Record, "", "refused: is encrypted: decrypt it first"},
	{"locked.mp4", Stream, "", "refused: is encrypted: decrypt it first"},
	{"locked.mp4", Mix, "", "refused: is encrypted: decrypt it first"},
	{"locked.mp4", Analyse, "", "refused: is encrypted: decrypt it first"},
	{"locked.mp4", Thumbnails, "", "refused: is encrypted: decrypt it first"},
	{"http:locked.mp4", Record, "", "refused: is encrypted: decrypt it first"},
	{"http:locked.mp4", Stream, "", "refused: is encrypted: decrypt it first"},

	// Channels.
	{"side.mkv", Transcode, `"container": "mkv", "audio": {"codec": "opus"}`, "a=opus channels=6"},
	{"side.mkv", Transcode, "", "a=aac channels=6 kbps=384"},
	{"film.mp4", Transcode, "", "a=aac channels=1 kbps=64"},
	{"side.mkv", Transcode, `"audio": {"codec": "mp3"}`, "a=mp3 channels=2 !channels_mixed"},
	{"sixteen.mkv", Transcode, `"container": "mkv", "audio": {"codec": "opus"}`, "a=opus channels=2 !channels_mixed"},
	{"sixteen.mkv", Transcode, "", "a=aac channels=16"},
	{"sixteen.mkv", Record, `"audio": {"codec": "opus"}`, "a=opus channels=2 !channels_mixed"},
	{"live:sixteen.mkv", Record, `"audio": {"codec": "opus"}`, "a=opus channels=2 !channels_mixed"},
	{"live:side.mkv", Stream, `"audio": {"codec": "opus"}`, "a=opus channels=6"},
	{"sixteen.mkv", Mix, "", "channels=2"},
	{"sixteen.mkv", Analyse, `"detect": {"loudness": {}}`, "done"},
	{"quad.mov", Transcode, `"container": "mkv", "audio": {"codec": "opus"}`, "a=opus channels=4"},
	{"quad.mov", Transcode, "", "a=aac channels=4"},
	{"quad.mov", Stream, `"audio": {"codec": "opus"}`, "a=opus channels=4"},
	{"wide.mov", Transcode, `"container": "mkv", "audio": {"codec": "opus"}`, "a=opus channels=8"},
	{"wide.mov", Transcode, "", "a=aac channels=8"},
	{"wide.mov", Record, `"audio": {"codec": "opus"}`, "a=opus channels=8"},
	{"wide.mov", Package, `"audio": {"codec": "opus"}`, "a=opus channels=8"},
	{"wide.mov", Mix, "", "channels=2"},
	{"six.mov", Transcode, `"container": "mkv", "audio": {"codec": "opus"}`, "a=opus channels=7"},
	{"six.mov", Transcode, "", "a=aac channels=7"},
	{"three.mov", Transcode, `"container": "mkv", "audio": {"codec": "opus"}`, "a=opus channels=3"},
	{"three.mov", Transcode, "", "a=aac channels=3"},
	{"octagon.mov", Transcode, `"container": "mkv", "audio": {"codec": "opus"}`, "a=opus channels=8"},
	{"octagon.mov", Transcode, "", "a=aac channels=8"},
	{"seven.mkv", Transcode, "", "a=aac channels=7"},
	{"twelve.mkv", Transcode, "", "a=aac channels=2 !channels_mixed"},
	{"twelve.mkv", Transcode, `"container": "mkv", "audio": {"codec": "opus"}`, "a=opus channels=2 !channels_mixed"},
	{"twelve.mkv", Transcode, `"audio": {"codec": "mp3"}, "loudness": {}`, "a=mp3 channels=2 loud=-24..-22 !channels_mixed"},
	{"twelve.mkv", Mix, "", "channels=2"},
	{"twelve.mkv", Analyse, `"detect": {"loudness": {}, "silence": {}}`, "done"},
	{"film.mp4", Package, `"audio": {"codec": "opus"}`, "a=opus videos=1 tracks=1"},
	{"side.mkv", Mix, "", "channels=2"},
	{"side.mkv", Stream, `"audio": {"codec": "opus"}`, "a=opus channels=6"},
	{"side.mkv", Record, `"audio": {"codec": "opus"}`, "a=opus channels=6"},
}

// The right value or the right refusal, for each input in each kind, with every
// ffmpeg that is here.
func TestTable(t *testing.T) {
	for _, with := range tools(t) {
		t.Run("ffmpeg"+with.Version, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var lines []string
			t.Cleanup(func() {
				slices.Sort(lines)
				t.Logf("ffmpeg %s\n%s", with.Version, strings.Join(lines, "\n"))
			})
			for i, row := range table {
				t.Run(fmt.Sprintf("%d-%s-%s", i, row.clip, row.kind), func(t *testing.T) {
					t.Parallel()
					got := row.run(t, with)
					bad := row.differs(got)
					mu.Lock()
					lines = append(lines, fmt.Sprintf("%-14s %-10s %-55s %s", row.clip, row.kind, row.more, got.text(row.want)))
					mu.Unlock()
					if bad != "" {
						t.Errorf("%s %s {%s}\n  wants %s\n  but %s\n  all: %v", row.clip, row.kind, row.more, row.want, bad, got)
					}
				})
			}
		})
	}
}

// outcomeOf is what came of a row.
type rowResult struct {
	err      error
	out      string // the file that was looked at
	facts    map[string]string
	warnings []string
	left     []string // files, where it failed
}

func (r rowResult) text(want string) string {
	if r.err != nil {
		return "refused: " + strings.SplitN(r.err.Error(), "\n", 2)[0]
	}
	text := "done"
	for _, word := range strings.Fields(want) {
		if key, _, ok := strings.Cut(word, "="); ok {
			text += " " + key + "=" + r.facts[key]
		}
	}
	if len(r.warnings) > 0 {
		text += " !" + strings.Join(r.warnings, ",")
	}
	return text
}

func (row tableRow) differs(got rowResult) string {
	if reason, refused := strings.CutPrefix(row.want, "refused: "); refused {
		switch {
		case got.err == nil:
			return "it is done"
		case !strings.Contains(got.err.Error(), reason):
			return "the reason is " + got.err.Error()
		// What was recorded or sent before an input ended stays.
		case len(got.left) > 0 && (row.kind != Record && row.kind != Stream || !strings.Contains(reason, "ends early")):
			return fmt.Sprintf("it left %q", got.left)
		}
		return ""
	}
	if got.err != nil {
		return "the error is " + got.err.Error()
	}
	facts, warn, _ := strings.Cut(row.want, "!")
	if have := strings.Join(got.warnings, ","); have != warn {
		return fmt.Sprintf("the warnings are %q", have)
	}
	for _, fact := range strings.Fields(facts) {
		key, want, _ := strings.Cut(fact, "=")
		if want != "" || key != "done" {
			if have := got.facts[key]; !fits(key, have, want) {
				return fmt.Sprintf("%s is %s", key, have)
			}
		}
	}
	return ""
}

// frame is how long a picture of most clips is, in seconds.
const frame = 0.04

// fits compares a fact with a word, a number, or a range of numbers. Picture and
// sound may be apart by a frame.
func fits(key, have, want string) bool {
	if have == want {
		return true
	}
	n, err := strconv.ParseFloat(have, 64)
	if err != nil {
		return false
	}
	if from, to, isRange := strings.Cut(want, ".."); isRange {
		low, _ := strconv.ParseFloat(from, 64)
		high, err := strconv.ParseFloat(to, 64)
		return n >= low && (n <= high || err != nil)
	}
	w, err := strconv.ParseFloat(want, 64)
	if key == "sync" {
		return err == nil && math.Abs(n-w) <= frame
	}
	return err == nil && math.Abs(n-w) <= 0.12*max(1, w)
}

func (row tableRow) run(t *testing.T, with *Tool) rowResult {
	out := filepath.Join(t.TempDir(), "out")
	spec, look := row.spec(t, row.input(t), out)
	w := newWatcher()
	got := rowResult{facts: map[string]string{}}
	got.err = workWith(t, with, row.kind, Options{}).run(within(t), spec, "n1", w)
	var detail struct {
		Stats
		Warnings []Warning
	}
	_ = json.Unmarshal([]byte(inJSONText(w.last().Detail)), &detail)
	got.facts["frames"] = fmt.Sprint(detail.Frames) // of an analysis: there is no result to look at
	for _, one := range detail.Warnings {
		got.warnings = append(got.warnings, one.Name)
	}
	slices.Sort(got.warnings)
	if entries, err := os.ReadDir(out); err == nil {
		for _, e := range entries {
			got.left = append(got.left, e.Name())
		}
	}
	got.facts["files"] = strings.Join(got.left, ",")
	if got.err == nil && row.kind != Analyse {
		if row.kind == Transcode && len(got.left) > 0 {
			look = filepath.Join(out, got.left[0])
		}
		got.out = look
		measure(t, look, got.facts, row.want)
	}
	return got
}

// input is the clip, or a URL where it comes from a web server: "http:" with a length,
// "live:" as a stream without one; "tcp:" is one of which nothing is known before.
func (row tableRow) input(t *testing.T) string {
	t.Helper()
	if clip, ok := strings.CutPrefix(row.clip, "live:"); ok {
		return served(t, clip)
	}
	if clip, ok := strings.CutPrefix(row.clip, "tcp:"); ok {
		film := []byte(read(t, clipOf(t, clip)))
		return "tcp://" + listening(t, func(conn net.Conn) { _, _ = conn.Write(film) })
	}
	clip, ok := strings.CutPrefix(row.clip, "http:")
	if !ok {
		return clipOf(t, clip)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(clipOf(t, clip)))))
	t.Cleanup(server.Close)
	return server.URL + "/" + clip
}

// listening is the address of a server that serves each connection, and ends it.
func listening(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

// spec makes the spec of a row, and says which file to look at.
func (row tableRow) spec(t *testing.T, in, out string) (json.RawMessage, string) {
	t.Helper()
	m := map[string]any{"input": in}
	look := ""
	switch row.kind {
	case Record:
		m["output"], m["segment_seconds"] = out, 100
		look = filepath.Join(out, "segment-00000.")
	case Transcode:
		m["output"], m["ladder"], m["speed"] = out, []any{map[string]any{"height": 180}}, "fastest"
		if strings.HasPrefix(row.clip, "pal") || row.clip == "turned.mp4" {
			m["ladder"] = []any{map[string]any{"height": 144}}
		}
	case Package:
		look = filepath.Join(out, "p", masterName)
		m["output"], m["ladder"], m["speed"], m["segment_seconds"] = filepath.Dir(look), []any{map[string]any{"height": 90}}, "fastest", 1
	case Thumbnails:
		look = filepath.Join(out, "t", "sheet-00000.jpg")
		m["output"], m["every_seconds"], m["columns"], m["rows"], m["width"] = filepath.Dir(look), 1, 2, 1, 160
	case Stream:
		look = filepath.Join(out, "x.m3u8")
		m["output"] = look
		if filepath.IsAbs(in) {
			m["realtime"] = false
		}
	case Mix:
		look = filepath.Join(out, "x.mp4")
		delete(m, "input")
		m["inputs"], m["output"], m["width"], m["height"], m["speed"] = []any{map[string]any{"url": in}}, look, 320, 180, "fastest"
	case Analyse:
		m["detect"] = map[string]any{"black": map[string]any{}}
	}
	var more map[string]any
	if err := json.Unmarshal([]byte("{"+strings.ReplaceAll(row.more, "OUT", out)+"}"), &more); err != nil {
		t.Fatal(err)
	}
	for key, value := range more {
		m[key] = value
	}
	if row.kind == Record {
		format, _ := m["format"].(string)
		if format == "" {
			format = "mkv"
		}
		look += format
	}
	spec, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return spec, look
}

var maker = sync.OnceValues(func() (*clips.Maker, error) {
	tool, err := found()
	if err != nil {
		return nil, err
	}
	return clips.New(tool.FFmpeg)
})

func clipOf(t testing.TB, name string) string {
	t.Helper()
	m, err := maker()
	if err != nil {
		t.Fatal(err)
	}
	path, err := m.Get(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tools are the ffmpeg that is installed and, where scripts/install-tools
// has put it, a newer one.
func tools(t testing.TB) []*Tool {
	t.Helper()
	all := []*Tool{tool(t)}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	next, err := at(context.Background(), filepath.Join(cache, "muster", "trixie-ffmpeg", "bin", "ffmpeg"))
	switch {
	case err == nil:
		return append(all, next)
	case os.Getenv("CI") != "":
		t.Fatalf("%v: run scripts/install-tools", err)
	}
	t.Logf("only with ffmpeg %s: run scripts/install-tools for a newer one", all[0].Version)
	return all
}
