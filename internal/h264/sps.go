// Package h264 reads what a sequence parameter set of H.264 says.
package h264

import "errors"

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

// ReadSPS reads one whose pictures are progressive, in square pixels and SDR.
func ReadSPS(nal []byte) (Shown, error) {
	if len(nal) < 4 || nal[0]&31 != 7 {
		return Shown{}, ErrNotPlain
	}
	r := &bitReader{data: unescaped(nal[1:])}
	profile := r.bits(8)
	r.bits(16)
	r.ue()
	chroma := 1
	switch profile {
	case 66, 77, 88:
	case 100, 110:
		chroma = r.ue()
		r.ue()
		r.ue()
		r.bits(1)
		if chroma != 1 || r.bits(1) == 1 {
			return Shown{}, ErrNotPlain
		}
	default:
		return Shown{}, ErrNotPlain
	}
	r.ue()
	switch r.ue() { // how the order of pictures is coded
	case 0:
		r.ue()
	case 2:
	default:
		return Shown{}, ErrNotPlain
	}
	r.ue()
	r.bits(1)
	width, height := (r.ue()+1)*16, (r.ue()+1)*16
	if r.bits(1) != 1 { // there may be fields
		return Shown{}, ErrNotPlain
	}
	r.bits(1)
	if r.bits(1) == 1 {
		left, right, top, bottom := r.ue(), r.ue(), r.ue(), r.ue()
		width, height = width-2*(left+right), height-2*(top+bottom)
	}
	s := Shown{Width: width, Height: height}
	if r.bits(1) == 1 {
		var plain bool
		if s.Transfer, plain = r.usability(); !plain {
			return s, ErrNotPlain
		}
	}
	if r.short {
		return s, ErrNotPlain
	}
	return s, nil
}

// extendedSAR is followed by the shape itself.
const extendedSAR = 255

// usability reads the beginning of the video usability information.
func (r *bitReader) usability() (transfer string, plain bool) {
	if r.bits(1) == 1 {
		switch r.bits(8) {
		case 0, 1:
		case extendedSAR:
			if width, height := r.bits(16), r.bits(16); width != height {
				return "", false
			}
		default:
			return "", false
		}
	}
	if r.bits(1) == 1 {
		r.bits(1)
	}
	if r.bits(1) == 0 {
		return "", true
	}
	r.bits(4)
	if r.bits(1) == 0 {
		return "", true
	}
	r.bits(8)
	transfer, plain = Transfers[r.bits(8)]
	return transfer, plain
}

// unescaped leaves out the bytes that keep start codes from the data.
func unescaped(b []byte) []byte {
	out, zeros := make([]byte, 0, len(b)), 0
	for _, c := range b {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		out = append(out, c)
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

// bitReader reads bits, the highest first. Behind the end all are 0, and short
// is set.
type bitReader struct {
	data  []byte
	at    int
	short bool
}

func (r *bitReader) bits(n int) int {
	value := 0
	for range n {
		value <<= 1
		if i := r.at / 8; i < len(r.data) {
			value |= int(r.data[i]>>(7-r.at%8)) & 1
		} else {
			r.short = true
		}
		r.at++
	}
	return value
}

// ue reads a number in Exp-Golomb code.
func (r *bitReader) ue() int {
	zeros := 0
	for r.bits(1) == 0 {
		if zeros++; zeros > 30 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}
