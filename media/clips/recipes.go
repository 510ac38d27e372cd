package clips

import "slices"

// recipe says how a clip is made: by ffmpeg's arguments, in which FROM is
// another clip, or by a change of its bytes, or by both.
type recipe struct {
	from string
	// also is another clip that is in DIR.
	also   string
	args   string
	change func([]byte) []byte
}

// Sources and encoders that many clips have. A flash and a beep are at every
// full second of flashes.
const (
	moving  = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=3 "
	tone    = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=3 "
	flashes = "-f lavfi -i color=black:size=320x180:rate=25:duration=4,drawbox=color=white:t=fill:enable='eq(mod(n\\,25)\\,0)*gt(n\\,0)' "
	beeps   = "-f lavfi -i aevalsrc='sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.04)*gte(t\\,1)':s=48000:d=4 "
	h264    = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 "
	aac     = "-c:a aac -b:a 96k "
)

// noise is sound of some arrangement of speakers.
func noise(layout string) string {
	return "-f lavfi -i anoisesrc=d=3:r=48000:a=0.1,aformat=channel_layouts=" + layout + " "
}

// recipes are by the names of the clips.
var recipes = map[string]recipe{
	"film.mp4":      {args: moving + tone + h264 + aac + "-movflags +faststart"},
	"film.mkv":      {args: moving + tone + h264 + aac},
	"half.mp4":      {from: "film.mp4", change: half},
	"half.mkv":      {from: "film.mkv", change: half},
	"late.mov":      {args: moving + tone + h264 + aac},
	"film.avi":      {args: moving + tone + "-c:v mpeg4 -c:a mp3"},
	"film.flv":      {args: moving + tone + h264 + aac},
	"film.wmv":      {args: moving + tone + "-c:v wmv2 -c:a wmav2"},
	"film.mxf":      {args: moving + tone + "-c:v mpeg2video -c:a pcm_s16le"},
	"song.wav":      {args: tone},
	"half.mov":      {from: "late.mov", change: half},
	"half.avi":      {from: "film.avi", change: half},
	"half.flv":      {from: "film.flv", change: half},
	"half.wmv":      {from: "film.wmv", change: half},
	"half.mxf":      {from: "film.mxf", change: half},
	"half.webm":     {from: "vp8.webm", change: half},
	"half.wav":      {from: "song.wav", change: half},
	"copying.mp4":   {from: "film.mp4", change: zeroed},
	"hurt.ts":       {args: moving + tone + h264 + aac, change: hurt},
	"broken.mp4":    {from: "film.mp4", change: func([]byte) []byte { return []byte("this is not a film, whatever it is called") }},
	"empty.mp4":     {from: "film.mp4", change: func([]byte) []byte { return nil }},
	"mute.mp4":      {args: moving + h264},
	"song.m4a":      {args: tone + aac},
	"cover.png":     {args: "-f lavfi -i color=red:size=200x200:duration=1 -frames:v 1 -f image2 -c:v png"},
	"cover.mkv":     {from: "cover.png", args: "-i FROM " + moving + tone + "-map 0 -map 1 -map 2 -c:v:0 copy -disposition:v:0 attached_pic -c:v:1 libx264 -preset ultrafast -pix_fmt yuv420p " + aac},
	"words.srt":     {from: "film.mp4", change: func([]byte) []byte { return []byte("1\n00:00:00,500 --> 00:00:02,500\nHello\n") }},
	"tracks.mkv":    {from: "words.srt", args: moving + tone + "-f lavfi -i sine=frequency=880:duration=3 -i FROM -map 0 -map 1 -map 2 -map 3 " + h264 + aac + "-c:s srt -metadata:s:a:0 language=eng -metadata:s:a:1 language=ger -disposition:a:0 0 -disposition:a:1 default"},
	"late.mkv":      {args: "-itsoffset 1 " + flashes + beeps + h264 + "-bf 0 -c:a pcm_s16le"},
	"sync.mkv":      {args: flashes + beeps + h264 + "-bf 0 -c:a pcm_s16le"},
	"wide.ts":       {args: moving + "-t 1.5 " + h264 + "-bf 0"},
	"tall.ts":       {args: "-f lavfi -i testsrc2=size=180x320:rate=25:duration=1.52 -output_ts_offset 1.5 " + h264 + "-bf 0"},
	"turning.ts":    {from: "wide.ts", also: "tall.ts", args: "-i concat:FROM|DIR/tall.ts -c copy"},
	"pal.mp4":       {args: "-f lavfi -i testsrc2=size=180x144:rate=25:duration=3,setsar=64/45 " + h264},
	"turned.mp4":    {args: moving + tone + h264 + aac, change: turned},
	"pq.mkv":        {args: moving + tone + "-c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv " + aac},
	"hlg.mkv":       {args: moving + tone + "-c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc arib-std-b67 -colorspace bt2020nc -color_range tv " + aac},
	"interlaced.ts": {args: "-f lavfi -i color=black:size=320x180:rate=50:duration=3,geq=lum='16+200*between(X\\,mod(N*8\\,300)\\,mod(N*8\\,300)+20)':cb=128:cr=128 -vf tinterlace=interleave_top -c:v mpeg2video -b:v 2M -flags +ilme+ildct"},
	"vp8.webm":      {args: moving + tone + "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 300k -c:a libvorbis"},
	"prores.mov":    {args: moving + tone + "-c:v prores_ks -profile:v 0 -c:a pcm_s16le"},
	"mulaw.mkv":     {args: moving + "-f lavfi -i sine=sample_rate=8000:duration=3 " + h264 + "-c:a pcm_mulaw"},
	"film.ts":       {args: moving + tone + h264 + aac},
	"b.avi":         {args: moving + "-c:v libx264 -preset veryfast -bf 2 -pix_fmt yuv420p"},
	"side.mkv":      {args: moving + "-f lavfi -i anoisesrc=d=3:r=48000:a=0.1,aformat=channel_layouts=5.1(side) " + h264 + "-c:a ac3"},
	"sixteen.mkv":   {args: moving + "-f lavfi -i anoisesrc=d=3:r=48000:a=0.1,aformat=channel_layouts=hexadecagonal " + h264 + "-c:a pcm_s16le"},
	"quad.mov":      {args: moving + noise("quad(side)") + h264 + "-c:a pcm_s16le"},
	"wide.mov":      {args: moving + noise("7.1(wide)") + h264 + "-c:a pcm_s16le"},
	"six.mov":       {args: moving + noise("6.1(back)") + h264 + "-c:a pcm_s16le"},
	"three.mov":     {args: moving + noise("2.1") + h264 + "-c:a pcm_s16le"},
	"octagon.mov":   {args: moving + noise("octagonal") + h264 + "-c:a pcm_s16le"},
	"twelve.mkv":    {from: "song.wav", args: moving + "-stream_loop 11 -f s16le -ac 12 -ar 48000 -guess_layout_max 0 -i FROM " + h264 + "-c:a pcm_s16le"},
	"seven.mkv":     {from: "song.wav", args: moving + "-stream_loop 6 -f s16le -ac 7 -ar 48000 -guess_layout_max 0 -i FROM " + h264 + "-c:a pcm_s16le"},
	"ntsc.mp4":      {args: "-f lavfi -i testsrc2=size=320x180:rate=30000/1001:duration=3 " + h264},
	"alpha.webm":    {args: "-f lavfi -i testsrc2=size=320x180:rate=25:duration=3,format=yuva420p -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -auto-alt-ref 0"},
	"alpha.mov":     {args: "-f lavfi -i testsrc2=size=320x180:rate=25:duration=3,format=yuva444p10le -c:v prores_ks -profile:v 4444"},
	"sleeve.m4a":    {from: "cover.png", args: "-i FROM " + tone + "-map 0 -map 1 -c:v copy -disposition:v:0 attached_pic " + aac},
	"slow.mkv":      {args: flashes + "-itsoffset 1 " + beeps + h264 + "-bf 0 -c:a pcm_s16le"},
	"dark.mkv":      {from: "words.srt", args: "-f lavfi -i color=black:size=320x180:rate=25:duration=3 -i FROM -map 0 -map 1 " + h264 + "-c:s srt"},
	"hev1.mp4":      {args: moving + tone + "-c:v libx265 -preset ultrafast -x265-params log-level=error -tag:v hev1 " + aac},
	"locked.mp4":    {from: "film.mp4", args: "-i FROM -c copy -encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb -encryption_kid a7e61c373e219033c21091fa607bf3b8 -f mp4"},
	"browser.webm":  {args: "-f lavfi -i testsrc2=size=320x180:rate=30:duration=3,settb=1/1000,setpts=PTS+mod(N*7\\,23) -fps_mode passthrough -enc_time_base 1:1000 -c:v libvpx -deadline realtime -cpu-used 8 -b:v 300k -f webm -live 1", change: rateless},
	"full.mp4":      {args: "-f lavfi -i testsrc2=size=320x180:rate=25:duration=3,scale=out_range=pc,format=yuvj420p -c:v libx264 -preset ultrafast -pix_fmt yuvj420p -g 25"},
	"odd.mkv":       {args: "-f lavfi -i testsrc2=size=321x181:rate=25:duration=3 -c:v ffv1"},
}

// Names are the clips, sorted.
func Names() []string {
	var names []string
	for name := range recipes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
