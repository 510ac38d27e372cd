package media

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// measure finds facts of a file: those that ffprobe says, and of what want
// names also those that need a look at the pictures and the sound.
func measure(t *testing.T, path string, facts map[string]string, want string) {
	t.Helper()
	out, err := output(within(t), tool(t).FFprobe, "-v", "error", "-of", "json", "-show_format", "-show_streams", "-count_packets", path)
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Format  struct{ Duration string }
		Streams []struct {
			probedStream
			Packets string `json:"nb_read_packets"`
			Space   string `json:"color_space"`
			Range   string `json:"color_range"`
			Level   int    `json:"level"`
			Rate    string `json:"bit_rate"`
		}
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	facts["secs"], facts["v"], facts["a"] = said.Format.Duration, "", ""
	for _, s := range said.Streams {
		n[s.Kind]++
		info := s.info()
		switch {
		case n[s.Kind] > 1:
		case s.Kind == "video":
			facts["v"], facts["size"], facts["sar"] = info.Codec, fmt.Sprintf("%dx%d", s.Width, s.Height), s.Shape
			facts["fps"], facts["frames"], facts["pix"], facts["trc"] = s.Mean, s.Packets, s.PixelFormat, s.Transfer
			facts["color"], facts["range"], facts["level"], facts["field"] = s.Space, s.Range, fmt.Sprint(s.Level), s.Fields
			facts["turn"], facts["tag"] = fmt.Sprint(info.Rotation), s.Tag
		case s.Kind == "audio":
			facts["a"], facts["channels"] = info.Codec, fmt.Sprint(s.Channels)
			facts["kbps"] = fmt.Sprint(number(s.Rate) / 1000)
		}
	}
	facts["videos"], facts["cues"] = fmt.Sprint(n["video"]), cues(path)
	facts["tracks"], facts["subs"] = fmt.Sprint(n["audio"]), fmt.Sprint(n["subtitle"])
	for key, find := range map[string]func(*testing.T, string) string{"sync": delay, "pitch": pitch, "bars": bars, "combed": combed, "red": red, "peak": peak, "keys": keys, "loud": loud} {
		if strings.Contains(" "+want, " "+key+"=") {
			facts[key] = find(t, path)
		}
	}
}

// decoded is what ffmpeg makes of a file, in raw form.
func decoded(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := output(within(t), tool(t).FFmpeg, append(append([]string{"-loglevel", "error", "-nostdin"}, args...), "pipe:1")...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// delay is by how many seconds the first flash comes after the first beep.
func delay(t *testing.T, path string) string {
	// -copyts, as ffmpeg lets the tracks of a stream begin together that it reads alone.
	pictures := decoded(t, "-copyts", "-i", path, "-map", "0:v", "-vf", "fps=100:start_time=0,scale=1:1", "-pix_fmt", "gray", "-f", "rawvideo")
	samples := decoded(t, "-copyts", "-i", path, "-map", "0:a", "-af", "aresample=8000:async=1:first_pts=0", "-ac", "1", "-f", "u8")
	flash := slices.IndexFunc(pictures, func(p byte) bool { return p > 128 })
	beep := slices.IndexFunc(samples, func(s byte) bool { return s > 160 || s < 96 })
	if flash < 0 || beep < 0 {
		return fmt.Sprintf("never(%d,%d)", flash, beep)
	}
	return fmt.Sprintf("%.2f", float64(flash)/100-float64(beep)/8000)
}

// pitch counts the waves of the second second of the sound.
func pitch(t *testing.T, path string) string {
	samples := decoded(t, "-i", path, "-map", "0:a:0", "-ac", "1", "-ar", "8000", "-f", "u8")
	if len(samples) < 16000 {
		return "short"
	}
	waves := 0
	for i, s := range samples[8000:16000] {
		if before := samples[8000+i-1]; before < 128 && s >= 128 {
			waves++
		}
	}
	return fmt.Sprint(waves)
}

// bars reports whether the sides of the last pictures are black, and the middle
// is not: a tall picture fitted into a wide one.
func bars(t *testing.T, path string) string {
	pictures := decoded(t, "-i", path, "-map", "0:v", "-vf", "fps=25:start_time=0,scale=32:18", "-pix_fmt", "gray", "-f", "rawvideo")
	if len(pictures) < 70*32*18 {
		return fmt.Sprintf("too short: %d", len(pictures)/32/18)
	}
	last := pictures[len(pictures)-5*32*18:][:32*18]
	side, middle := 0, 0
	for row := range 18 {
		side = max(side, int(last[row*32+2]), int(last[row*32+29]))
		middle = max(middle, int(last[row*32+16]))
	}
	if side < 40 && middle > 30 {
		return "yes"
	}
	return fmt.Sprintf("no(%d,%d)", side, middle)
}

// combed reports whether neighbouring lines differ more than lines that are two
// apart, as they do where a picture is two fields.
func combed(t *testing.T, path string) string {
	const w, h = 320, 180
	pictures := decoded(t, "-i", path, "-map", "0:v", "-ss", "1", "-frames:v", "5", "-pix_fmt", "gray", "-f", "rawvideo")
	near, far := 0.0, 0.0
	for i := 0; i+2*w < len(pictures); i++ {
		if i/w%h < h-2 {
			near += math.Abs(float64(pictures[i]) - float64(pictures[i+w]))
			far += math.Abs(float64(pictures[i]) - float64(pictures[i+2*w]))
		}
	}
	if near > far {
		return "yes"
	}
	return "no"
}

// red reports whether the middle of the picture is red, as the cover is.
func red(t *testing.T, path string) string {
	if r, g, b := colour(t, path, 1, 160, 90); r > 180 && g < 60 && b < 60 {
		return "yes"
	}
	return "no"
}

// peak is the highest value of the brightness as it is coded: 235 where black
// is 16, 255 where it is 0.
func peak(t *testing.T, path string) string {
	pictures := decoded(t, "-i", path, "-map", "0:v", "-frames:v", "3", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-sws_flags", "neighbor")
	most := byte(0)
	for i, p := range pictures {
		if i%(320*180*3/2) < 320*180 {
			most = max(most, p)
		}
	}
	return fmt.Sprint(most)
}

var integrated = regexp.MustCompile(`I: +(-?[\d.]+) LUFS`)

// loud is the integrated loudness in LUFS, as another filter than the one that
// makes it measures it.
func loud(t *testing.T, path string) string {
	said := &lastObject{}
	r := run{
		program: tool(t).FFmpeg, args: []string{"-nostdin", "-nostats", "-i", path, "-map", "0:a:0", "-af", "ebur128", "-f", "null", "-"},
		stdout: func(r io.Reader) { _, _ = io.Copy(io.Discard, r) }, said: said,
	}
	if err := r.do(within(t)); err != nil {
		t.Fatal(err)
	}
	all := integrated.FindAllStringSubmatch(string(said.text), -1)
	if len(all) == 0 {
		return "unknown"
	}
	return all[len(all)-1][1]
}

// cues counts the pictures of the list beside a sheet.
func cues(path string) string {
	text, _ := os.ReadFile(filepath.Join(filepath.Dir(path), listName)) // other results have none
	return fmt.Sprint(strings.Count(string(text), "#xywh="))
}

// keys counts the key frames.
func keys(t *testing.T, path string) string {
	out, err := output(within(t), tool(t).FFprobe, "-v", "error", "-select_streams", "v", "-show_entries", "packet=flags", "-of", "csv=p=0", path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(strings.Count(string(out), "K"))
}
