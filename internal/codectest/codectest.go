// Package codectest makes real frames for tests, with ffmpeg.
package codectest

import (
	"bytes"
	"io"
	"os/exec"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"
)

// Codec is a codec of pictures, with an encoder and what cuts its frames into packets.
type Codec struct {
	// MIME is its name in SDP, Name the word for people.
	MIME, Name string
	encoder    []string
	payloader  func() rtp.Payloader
}

// Codecs are those that rooms pass on and subscribers know.
var Codecs = []Codec{
	{"video/VP8", "vp8", []string{"libvpx", "-deadline", "realtime"}, func() rtp.Payloader { return &codecs.VP8Payloader{EnablePictureID: true} }},
	{"video/VP9", "vp9", []string{"libvpx-vp9", "-deadline", "realtime", "-lag-in-frames", "0"}, func() rtp.Payloader { return &codecs.VP9Payloader{} }},
	{"video/AV1", "av1", []string{"libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0"}, func() rtp.Payloader { return &codecs.AV1Payloader{} }},
	{"video/H264", "h264", []string{"libx264", "-tune", "zerolatency", "-threads", "1"}, func() rtp.Payloader { return &codecs.H264Payloader{} }},
}

// Frames are the frames of a second of a picture, a source of ffmpeg's lavfi, of which
// the first is a key frame.
func (c Codec) Frames(t testing.TB, source string) (frames [][]byte) {
	t.Helper()
	format := "ivf"
	if c.Name == "h264" {
		format = "h264"
	}
	args := append([]string{"-v", "error", "-nostdin", "-f", "lavfi", "-i", source, "-t", "1", "-pix_fmt", "yuv420p", "-c:v"}, c.encoder...)
	var out, said bytes.Buffer
	cmd := exec.Command("ffmpeg", append(args, "-f", format, "-")...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Fatalf("ffmpeg: %v: %s", err, said.String())
	}
	if format == "h264" {
		return units(t, &out)
	}
	r, _, err := ivfreader.NewWith(&out)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, _, err := r.ParseNextFrame()
		if err == io.EOF {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
}

// units are pictures of H.264 with one slice each.
func units(t testing.TB, stream io.Reader) (frames [][]byte) {
	t.Helper()
	r, err := h264reader.NewReader(stream)
	if err != nil {
		t.Fatal(err)
	}
	var frame []byte
	for {
		unit, err := r.NextNAL()
		if err == io.EOF {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		frame = append(append(frame, 0, 0, 0, 1), unit.Data...)
		const slice, sliceOfKey = 1, 5
		if kind := unit.Data[0] & 0x1f; kind == slice || kind == sliceOfKey {
			frames = append(frames, frame)
			frame = nil
		}
	}
}

// Packetizer cuts frames into packets, with numbers that wrap soon.
func (c Codec) Packetizer() rtp.Packetizer {
	return rtp.NewPacketizer(1200, 96, 1, c.payloader(), rtp.NewFixedSequencer(65530), 90000)
}

// Opus are the packets of a second of sound, a source of ffmpeg's lavfi, of 20 ms each.
func Opus(t testing.TB, source string) (packets [][]byte) {
	t.Helper()
	var out, said bytes.Buffer
	cmd := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", source, "-t", "1", "-c:a", "libopus", "-page_duration", "20000", "-f", "ogg", "-")
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Fatalf("ffmpeg: %v: %s", err, said.String())
	}
	pages, _, err := oggreader.NewWith(&out)
	if err != nil {
		t.Fatal(err)
	}
	for {
		page, _, err := pages.ParseNextPage()
		if err == io.EOF {
			return packets
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(page, []byte("Opus")) {
			packets = append(packets, page)
		}
	}
}
