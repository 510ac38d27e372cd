package media

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// picture is how a decoded picture becomes one that is encoded: fields become
// frames, the size and the rate are those that were asked for, pixels are
// square, and colours are those that the codec's tags say.
type picture struct {
	// from is the stream; nil where it is not known.
	from *StreamInfo
	// width and height are asked for; 0 follows from the other, or is as in the
	// input.
	width, height int
	// fps is a rate in ffmpeg's words, "" keeps that of the input.
	fps string
	// beginsAtZero holds the first picture from second 0 on.
	beginsAtZero bool
	handling     Handling
	// bt709 makes all colours those of HD, as where several inputs are mixed.
	bt709 bool
	// pixels is how they are coded, in ffmpeg's words; "" is yuv420p, or where HDR
	// is kept the same with 10 bits.
	pixels string
}

// size is that of the result; 0, 0 where the input is not known.
func (p picture) size() (width, height int) {
	switch {
	case p.width > 0 && p.height > 0:
		return p.width, p.height
	case p.from == nil || p.from.Width == 0 || p.from.Height == 0:
		return 0, 0
	}
	w, h := p.from.display()
	switch {
	case p.width > 0:
		return p.width, even(h * float64(p.width) / w)
	case p.height > 0:
		return even(w * float64(p.height) / h), p.height
	}
	return max(2, int(w)&^1), max(2, int(h)&^1)
}

// even is the nearest even number.
func even(x float64) int { return max(2, int(math.Round(x/2))*2) }

// filters are in ffmpeg's words.
func (p picture) filters() string {
	var f []string
	switch {
	case p.deinterlaces():
		f = append(f, "bwdif=mode=send_frame")
	case p.from == nil && p.handling.Deinterlace != DeinterlaceOff:
		f = append(f, "bwdif=mode=send_frame:deint=interlaced") // each picture says what it is
	}
	switch {
	case p.fps != "" && p.beginsAtZero:
		f = append(f, "fps="+p.fps+":start_time=0")
	case p.fps != "":
		f = append(f, "fps="+p.fps)
	}
	f = append(f, p.fit()...)
	return strings.Join(append(f, p.colours()...), ",")
}

func (p picture) deinterlaces() bool {
	switch p.handling.Deinterlace {
	case DeinterlaceOn:
		return true
	case DeinterlaceOff:
		return false
	}
	return p.from != nil && p.from.Interlaced
}

// fit makes pictures of one size with square pixels. A part of the input that
// has another shape is fitted into it, with black beside.
func (p picture) fit() []string {
	matrix := ""
	if p.bt709 {
		matrix = ":out_color_matrix=bt709"
	}
	w, h := p.size()
	if w > 0 && h > 0 {
		W, H := strconv.Itoa(w), strconv.Itoa(h)
		return []string{
			fmt.Sprintf("scale=w='min(%s,trunc(%s*dar/2+0.5)*2)':h='min(%s,trunc(%s/dar/2+0.5)*2)':eval=frame:out_range=tv%s", W, H, H, W, matrix),
			fmt.Sprintf("pad=%s:%s:-1:-1:eval=frame", W, H), "setsar=1",
		}
	}
	width, height := "trunc(iw*sar/2)*2", "trunc(ih/2)*2"
	switch {
	case p.height > 0:
		height = strconv.Itoa(p.height)
		width = "trunc(" + height + "*dar/2+0.5)*2"
	case p.width > 0:
		width = strconv.Itoa(p.width)
		height = "trunc(" + width + "/dar/2+0.5)*2"
	}
	return []string{fmt.Sprintf("scale=w='%s':h='%s':out_range=tv%s", width, height, matrix), "setsar=1"}
}

// colours are the last filters: they settle what a pixel means.
func (p picture) colours() []string {
	format := "format=" + cmp.Or(p.pixels, "yuv420p")
	if p.from != nil && p.from.HDR {
		if p.handling.HDR == HDRKeep {
			return []string{"format=" + cmp.Or(p.pixels, "yuv420p10le")}
		}
		return []string{
			"zscale=tin=" + p.from.transfer + ":pin=bt2020:min=bt2020nc:rin=tv:t=linear:npl=100", "format=gbrpf32le", "zscale=p=bt709",
			"tonemap=tonemap=hable:desat=0", "zscale=t=bt709:m=bt709:r=tv", format,
		}
	}
	if p.bt709 {
		return []string{format, "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"}
	}
	return []string{format}
}

// suits checks what the spec says of HDR, and warns of what is lost of the
// picture.
func (p picture) suits(warn *warnings) error {
	if p.from == nil {
		return nil
	}
	if p.from.Alpha {
		warn.add(WarnAlpha, "stream %d is transparent in places, the result is not", p.from.Index)
	}
	switch {
	case !p.from.HDR || p.handling.HDR == HDRKeep:
	case p.handling.HDR == HDRRefuse:
		return atInput(fault("input", "stream %d is HDR (%s), and hdr is refuse", p.from.Index, p.from.transfer))
	default:
		warn.add(WarnTonemap, "stream %d is HDR (%s) and became SDR: hdr keep would keep it", p.from.Index, p.from.transfer)
	}
	return nil
}

// enlarges reports whether the result has more lines or columns than the input.
func (p picture) enlarges() bool {
	if p.from == nil || p.from.Width == 0 {
		return false
	}
	w, h := p.from.display()
	return float64(p.width) > w+1 || float64(p.height) > h+1
}

// rateArg writes a rate for ffmpeg: that of television, which is a thousandth
// less than a whole number, exactly.
func rateArg(fps float64) string {
	if fps == 0 {
		return ""
	}
	if whole := math.Round(fps * 1.001); math.Abs(fps-whole/1.001) < 0.005*whole/24 && math.Abs(fps-math.Round(fps)) > 1e-9 {
		return fmt.Sprintf("%d000/1001", int(whole))
	}
	return seconds(fps)
}
