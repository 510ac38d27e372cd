package media

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// senders are the schemes that may be written to.
var senders = []string{"rtmp", "rtmps", "rtsp", "rtsps", "srt", "udp", "rtp", "tcp", "http", "https"}

// sink is where a stream goes.
type sink struct {
	place
	// container is what it can carry.
	container container
	hls       bool
	// pieces are the length and the number of HLS's segments.
	pieceSeconds float64
	pieces       int
	// goesOn is set where a stream is begun again when it breaks.
	goesOn bool
}

// flv is what RTMP carries. ffmpeg 6 and later also send HEVC and AV1, but servers of
// today (nginx's module 1.2.2) accept these and drop them without an error.
var flv = container{"rtmp", "flv", []string{"aac", "mp3"}, []string{"h264"}, []string{"-flvflags", "no_duration_filesize"}}

// rtsp is what RTP carries.
var rtsp = container{"rtsp", "rtsp", []string{"aac", "opus", "mp3"}, []string{"h264", "h265", "vp9", "vp8"}, nil}

// sink checks the output of a stream.
func (o Options) sink(field, name string) (sink, error) {
	p, err := o.place(field, name, senders)
	if err != nil {
		return sink{}, err
	}
	s := sink{place: p}
	s.container, _ = containerOf(field, "ts")
	s.hls = strings.HasSuffix(strings.SplitN(p.name, "?", 2)[0], ".m3u8")
	switch {
	case s.hls && (p.file() || p.scheme == "http" || p.scheme == "https"):
		if p.file() && strings.Contains(p.name, "%") {
			return s, fault(field, "%s must not have a %% in its name", p.name)
		}
	case p.file():
		return s, fault(field, "%q is a file: give a URL (%s), or a file that ends in .m3u8 for HLS", name, strings.Join(senders, ", "))
	case p.scheme == "http" || p.scheme == "https":
		return s, fault(field, "over %s only HLS can be sent: the URL must end in .m3u8", p.scheme)
	case strings.HasPrefix(p.scheme, "rtmp"):
		s.container = flv
	case strings.HasPrefix(p.scheme, "rtsp"):
		s.container = rtsp
	}
	return s, nil
}

// args are the last of ffmpeg's.
func (s sink) args() []string {
	switch {
	case s.hls:
		return append(s.hlsArgs(), s.name)
	case strings.HasPrefix(s.scheme, "rtsp"):
		return []string{"-f", "rtsp", "-rtsp_transport", "tcp", s.name}
	case s.scheme == "rtp":
		return []string{"-f", "rtp_mpegts", s.name}
	case s.container.muxer == "flv":
		return append(append([]string{}, s.container.flags...), "-f", "flv", s.name)
	}
	return []string{"-f", "mpegts", s.name}
}

func (s sink) hlsArgs() []string {
	args := []string{"-f", "hls", "-hls_time", seconds(s.pieceSeconds), "-hls_list_size", strconv.Itoa(s.pieces)}
	if !s.file() {
		if s.goesOn { // what was sent is not read back: the clock numbers the segments on
			args = append(args, "-hls_start_number_source", "epoch_us", "-hls_flags", "omit_endlist+discont_start")
		}
		return append(args, "-method", "PUT")
	}
	// The list is added to where a stream goes on, and ended by end.
	flags := "temp_file+append_list+omit_endlist"
	if s.pieces > 0 {
		flags += "+delete_segments"
	}
	return append(args, "-hls_flags", flags, "-hls_segment_filename", s.stem()+"-%05d.ts")
}

// stem is what the names of all its files begin with.
func (s sink) stem() string { return strings.TrimSuffix(s.name, filepath.Ext(s.name)) }

// endList is the last line of a playlist that has ended.
const endList = "#EXT-X-ENDLIST\n"

// end ends a playlist that is left open while a stream goes on. There is none where
// nothing was sent.
func (s sink) end() error {
	switch {
	case !s.hls:
		return nil
	case !s.file() && s.goesOn:
		return s.endSent()
	case !s.file():
		return nil
	}
	text, err := os.ReadFile(s.name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.Contains(string(text), "#EXT-X-ENDLIST") {
		return nil
	}
	if err == nil {
		err = replaceFile(s.name, string(text)+endList)
	}
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// discard removes what was begun of HLS in files.
func (s sink) discard() {
	if !s.hls || !s.file() {
		return
	}
	begun, _ := filepath.Glob(s.stem() + "-*.ts")
	_ = removeAll(append(begun, s.name))
}

// endSent ends a playlist on a web server: it is read, and sent again.
func (s sink) endSent() error {
	client := http.Client{Timeout: defaultStall}
	defer client.CloseIdleConnections()
	there, err := client.Get(s.name)
	if err != nil {
		return fmt.Errorf("output: the playlist cannot be ended: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(there.Body, mostPlaylist))
	_ = there.Body.Close()
	switch {
	case err != nil:
		return fmt.Errorf("output: the playlist cannot be ended: %w", err)
	case there.StatusCode == http.StatusNotFound || strings.Contains(string(text), "#EXT-X-ENDLIST"):
		return nil
	case there.StatusCode != http.StatusOK:
		return fmt.Errorf("output: the playlist cannot be ended, as the server does not give it back: %s", there.Status)
	}
	put, err := http.NewRequest(http.MethodPut, s.name, strings.NewReader(string(text)+endList))
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	answer, err := client.Do(put)
	if err != nil {
		return fmt.Errorf("output: the playlist cannot be ended: %w", err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("output: the playlist cannot be ended: %s", answer.Status)
	}
	return nil
}

// mostPlaylist is more than a playlist has, in bytes.
const mostPlaylist = 64 << 20

// replaceFile changes a file as a whole. It follows no link.
func replaceFile(path, text string) error {
	temp := path + ".partial"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
