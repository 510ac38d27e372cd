// Package h264 reads what a sequence parameter set of H.264 says.
package h264

import (
	"errors"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// ErrNotPlain is the refusal of pictures that are not progressive, in square
// pixels and SDR, and of a set that is broken.
var ErrNotPlain = errors.New("not a plain picture")

// Shown is what a sequence parameter set says of the pictures.
type Shown struct {
	Width, Height int
	// Transfer is the word for their curve, "" where nothing is said.
	Transfer string
}

// Transfers are the words for the curves of SDR; the second one is "not said".
var Transfers = map[int]string{1: "bt709", 2: "", 6: "smpte170m"}

// profiles are those that browsers and cameras use: Baseline, Main, Extended, High
// and High 10.
var profiles = []uint8{66, 77, 88, 100, 110}

const (
	// chroma420 is the format of the colours of 4:2:0.
	chroma420 = 1
	// extendedSAR is followed by the shape of a pixel itself.
	extendedSAR = 255
)

// ReadSPS reads one whose pictures are progressive, in square pixels and SDR.
func ReadSPS(nal []byte) (Shown, error) {
	var set h264.SPS
	if set.Unmarshal(nal) != nil || !slices.Contains(profiles, set.ProfileIdc) || set.ChromaFormatIdc != chroma420 || !set.FrameMbsOnlyFlag {
		return Shown{}, ErrNotPlain
	}
	s := Shown{Width: set.Width(), Height: set.Height()}
	v := set.VUI
	if v == nil {
		return s, nil
	}
	if v.AspectRatioIdc > 1 && (v.AspectRatioIdc != extendedSAR || v.SarWidth != v.SarHeight) {
		return s, ErrNotPlain
	}
	if v.ColourDescriptionPresentFlag {
		var known bool
		if s.Transfer, known = Transfers[int(v.TransferCharacteristics)]; !known {
			return s, ErrNotPlain
		}
	}
	return s, nil
}
