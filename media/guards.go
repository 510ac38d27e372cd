package media

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// defaultStall is after how long without data an input over the network counts
// as broken.
const defaultStall = 20 * time.Second

// stalled is that time in microseconds, as ffmpeg's options have it.
func (p place) stalled() string {
	return strconv.FormatInt(cmp.Or(p.stall, defaultStall).Microseconds(), 10)
}

// harmless are the formats that a file may have under a root: those that
// hold media and name no other files, as playlists do.
const harmless = "aac,ac3,aiff,asf,av1,avi,flac,flv,gif,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mp3,mpeg,mpegts,mpegvideo,nut,ogg,wav,wv,y4m,yuv4mpegpipe,image2,png_pipe,jpeg_pipe"

// guards are the arguments before an input: which protocols it may use, and
// what to do when the network is slow or away. major is ffmpeg's version.
func (p place) guards(major int) []string {
	if p.file() {
		return p.fileGuards()
	}
	args := []string{"-protocol_whitelist", "crypto,data,hls,httpproxy,tls,srtp," + strings.Join(network, ",")}
	switch p.scheme {
	case "http", "https":
		// Not reconnect_streamed: where a server cannot go on in the middle ffmpeg
		// would begin again at the start, behind what it has.
		return append(args, "-rw_timeout", p.stalled(), "-reconnect", "1", "-reconnect_delay_max", "5")
	case "rtmp", "rtmps", "rtmpt", "tcp":
		return append(args, "-rw_timeout", p.stalled())
	case "rtp": // it takes no time, and gives up by itself after some 20 s
		return args
	case "udp", "srt":
		return append(args, "-timeout", p.stalled())
	case "rtsp", "rtsps":
		timeout := "-timeout"
		if major < 5 {
			timeout = "-stimeout"
		}
		return append(args, "-rtsp_transport", "tcp", timeout, p.stalled())
	}
	return args
}

func (p place) fileGuards() []string {
	if !p.fenced {
		return []string{"-protocol_whitelist", "file,crypto,data"}
	}
	return []string{"-protocol_whitelist", "file", "-format_whitelist", harmless}
}

// input are the arguments that read p.
func (p place) input(major int) []string { return append(p.guards(major), "-i", p.name) }
