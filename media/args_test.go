package media

import (
	"slices"
	"strings"
	"testing"
)

// The arguments of each kind are a function of what was checked: these are all
// of them, for a spec that has most fields.

func TestRecordArgs(t *testing.T) {
	t.Parallel()
	r := recording{
		RecordSpec: RecordSpec{SegmentSeconds: 2.5, Video: Copy, Audio: Audio{Codec: Copy}},
		input:      place{scheme: "rtsp", name: "rtsp://cam/1"}, pattern: "/rec/a-%05d.mkv",
	}
	r.container, _ = containerOf("", "mkv")
	same(t, r.args(5, 7, 12), `-protocol_whitelist crypto,data,hls,httpproxy,tls,srtp,http,https,rtmp,rtmps,rtmpt,rtp,rtsp,rtsps,srt,tcp,udp
		-rtsp_transport tcp -timeout 20000000 -i rtsp://cam/1 -map 0:V:0? -c:v copy -map 0:a? -c:a copy -copyinkf:a -t 12
		-f segment -segment_format matroska -segment_time 2.5 -reset_timestamps 1 -segment_start_number 7
		-segment_list pipe:3 -segment_list_type csv
		-segment_format_options cluster_time_limit=1000:flush_packets=1 /rec/a-%05d.mkv`)
	if old := r.args(4, 0, 0); !slices.Contains(old, "-stimeout") || slices.Contains(old, "-timeout") || slices.Contains(old, "-t") {
		t.Errorf("for ffmpeg 4 the arguments are %q", old)
	}
}

func TestTranscodeArgs(t *testing.T) {
	t.Parallel()
	p := transcoding{
		TranscodeSpec: TranscodeSpec{
			Ladder: []Rung{{Height: 720, Bitrate: 2e6, FPS: 30}, {Width: 640, Height: 360}},
			Audio:  Audio{"aac", 96000}, StartSeconds: 3, DurationSeconds: 4, KeyframeSeconds: 2,
		},
		input: place{name: "/in.mp4", fenced: true}, encoders: []encoder{{"libx264", "main"}, {"libvpx-vp9", ""}},
	}
	p.container, _ = containerOf("", "mp4")
	same(t, p.args(5, []string{"/a", "/b"}), `-ss 3 -protocol_whitelist file -format_whitelist `+harmless+` -i /in.mp4 -filter_complex
		[0:V:0]split=2[s0][s1];[s0]bwdif=mode=send_frame:deint=interlaced,fps=30,scale=w='trunc(720*dar/2+0.5)*2':h='720':out_range=tv,setsar=1,format=yuv420p[v0];[s1]bwdif=mode=send_frame:deint=interlaced,`+fitted("640", "360", "")+`,format=yuv420p[v1]
		-map [v0] -c:v libx264 -profile:v main -preset veryfast -b:v 2000000 -maxrate 3000000 -bufsize 4000000
		-force_key_frames expr:gte(t,n_forced*2) -map 0:a:0? -c:a aac -b:a 96000 -t 4 -movflags +faststart -f mp4 /a
		-map [v1] -c:v libvpx-vp9 -deadline good -cpu-used 4 -crf 32 -b:v 0
		-force_key_frames expr:gte(t,n_forced*2) -map 0:a:0? -c:a aac -b:a 96000 -t 4 -movflags +faststart -f mp4 /b`)
}

func TestStreamArgs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ output, want string }{
		{"rtmp://h/live/k", "-flvflags no_duration_filesize -f flv rtmp://h/live/k"},
		{"rtsp://h/x", "-f rtsp -rtsp_transport tcp rtsp://h/x"},
		{"srt://h:9", "-f mpegts srt://h:9"},
		{"udp://h:9", "-f mpegts udp://h:9"},
		{"rtp://h:9", "-f rtp_mpegts rtp://h:9"},
		{"https://h/x.m3u8?key=1", "-f hls -hls_time 4 -hls_list_size 3 -method PUT https://h/x.m3u8?key=1"},
		{"/live/x.m3u8", "-f hls -hls_time 4 -hls_list_size 3 -hls_flags temp_file+append_list+omit_endlist+delete_segments -hls_segment_filename /live/x-%05d.ts /live/x.m3u8"},
	} {
		s, err := Options{}.sink("output", c.output)
		if err != nil {
			t.Fatal(err)
		}
		s.pieceSeconds, s.pieces = 4, 3
		p := streaming{StreamSpec: StreamSpec{Loop: true, Video: Copy, Audio: Audio{Codec: None}}, input: place{name: "/in.mp4"}, sink: s}
		same(t, p.args(5, 0), "-re -stream_loop -1 -protocol_whitelist file,crypto,data -i /in.mp4 -map 0:V:0? -c:v copy -an "+c.want)
	}
}

func TestMixArgs(t *testing.T) {
	t.Parallel()
	half := 0.5
	p := mixing{
		MixSpec: MixSpec{Width: 320, Height: 240, FPS: 25, Speed: Fastest, Audio: Audio{"aac", 128000}, Inputs: []MixInput{{}, {Volume: &half}}},
		inputs:  []place{{name: "/a"}, {name: "/b"}}, encoder: encoder{"libx264", ""}, file: "/out.mkv",
	}
	p.container, _ = containerOf("", "mkv")
	fit := "bwdif=mode=send_frame:deint=interlaced,fps=25:start_time=0," + fitted("160", "240", ":out_color_matrix=bt709") +
		",format=yuv420p,setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709,tpad=stop=1:color=black"
	same(t, p.args(5, []has{{video: true}, {video: true, audio: true}}, "/tmp.mkv"), `-reinit_filter 0 -protocol_whitelist file,crypto,data -i /a -reinit_filter 0 -protocol_whitelist file,crypto,data -i /b -filter_complex
		[0:V:0]`+fit+`[v0];[1:V:0]`+fit+`[v1];[v0][v1]xstack=inputs=2:layout=0_0|160_0:fill=black,pad=320:240,setsar=1[v];[1:a:0]aresample=48000:async=1:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=stereo,volume=0.5[a1];[a1]amix=inputs=1:duration=longest:normalize=0,alimiter=limit=0.95:level=false[a]
		-map [v] -c:v libx264 -preset ultrafast -force_key_frames expr:gte(t,n_forced*2) -map [a] -c:a aac -b:a:0 128000 -f matroska /tmp.mkv`)
}

func TestAnalyseArgs(t *testing.T) {
	t.Parallel()
	detect, err := Detect{Black: &BlackSpec{}, Freeze: &FreezeSpec{}, Silence: &SilenceSpec{}, Loudness: &LoudnessSpec{}}.complete()
	if err != nil {
		t.Fatal(err)
	}
	p := analysis{AnalyseSpec: AnalyseSpec{Detect: detect}, input: place{name: "/in.mp4"}}
	same(t, p.args(5), `-protocol_whitelist file,crypto,data -i /in.mp4
		-map 0:V:0? -vf blackdetect=d=2:pix_th=0.1:pic_th=0.98,freezedetect=n=-60dB:d=2,metadata=mode=add:key=frame:value=1,metadata=mode=print:direct=1:file='pipe\:3'
		-map 0:a:0? -af silencedetect=n=-60dB:d=2,ebur128=metadata=1:peak=true,ametadata=mode=print:direct=1:file='pipe\:4' -f null -`)
}

// fitted are the filters that fit a picture into a size.
func fitted(w, h, more string) string {
	return strings.NewReplacer("W", w, "H", h).Replace("scale=w='min(W,trunc(H*dar/2+0.5)*2)':h='min(H,trunc(W/dar/2+0.5)*2)':eval=frame:out_range=tv" + more + ",pad=W:H:-1:-1:eval=frame,setsar=1")
}

// same compares arguments, none of which has a space in it, with a text.
func same(t *testing.T, got []string, want string) {
	t.Helper()
	if words := strings.Fields(want); !slices.Equal(got, words) {
		t.Errorf("the arguments are\n  %s\nnot\n  %s", strings.Join(got, " "), strings.Join(words, " "))
	}
}

// Tiles never overlap, never leave the picture, and are even.
func TestGrid(t *testing.T) {
	t.Parallel()
	for n := 1; n <= mostInputs; n++ {
		tiles := grid(n, 1280, 720)
		for i, a := range tiles {
			if a.x < 0 || a.y < 0 || a.x+a.width > 1280 || a.y+a.height > 720 || (a.x|a.y|a.width|a.height)%2 != 0 || a.width*a.height == 0 {
				t.Errorf("tile %d of %d is %+v", i, n, a)
			}
			for _, b := range tiles[:i] {
				if a.x < b.x+b.width && b.x < a.x+a.width && a.y < b.y+b.height && b.y < a.y+a.height {
					t.Errorf("of %d, %+v and %+v overlap", n, a, b)
				}
			}
		}
	}
	if got := grid(3, 320, 240); !slices.Equal(got, []tile{{0, 0, 160, 120}, {160, 0, 160, 120}, {80, 120, 160, 120}}) {
		t.Errorf("three are laid out as %+v", got)
	}
}
