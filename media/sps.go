package media

// shownAs is what a sequence parameter set of H.264 says of the pictures.
type shownAs struct {
	width, height int
	transfer      string
}

// readSPS reads one whose pictures are progressive, in square pixels and SDR.
func readSPS(nal []byte) (shownAs, error) {
	if len(nal) < 4 || nal[0]&31 != 7 {
		return shownAs{}, errNotPlain
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
			return shownAs{}, errNotPlain
		}
	default:
		return shownAs{}, errNotPlain
	}
	r.ue()
	switch r.ue() { // how the order of pictures is coded
	case 0:
		r.ue()
	case 2:
	default:
		return shownAs{}, errNotPlain
	}
	r.ue()
	r.bits(1)
	width, height := (r.ue()+1)*16, (r.ue()+1)*16
	if r.bits(1) != 1 { // there may be fields
		return shownAs{}, errNotPlain
	}
	r.bits(1)
	if r.bits(1) == 1 {
		left, right, top, bottom := r.ue(), r.ue(), r.ue(), r.ue()
		width, height = width-2*(left+right), height-2*(top+bottom)
	}
	s := shownAs{width: width, height: height}
	if r.bits(1) == 1 {
		var plain bool
		if s.transfer, plain = r.usability(); !plain {
			return s, errNotPlain
		}
	}
	if r.short {
		return s, errNotPlain
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
	transfer, plain = transfers[r.bits(8)]
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
