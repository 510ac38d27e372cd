package compose

// Picture is a picture in planar 4:2:0 (I420): all of Y, of U, of V. Its size is
// even.
type Picture struct {
	W, H int
	Pix  []byte
}

// Size is how many bytes a picture has.
func Size(width, height int) int { return width * height * 3 / 2 }

// NewPicture returns a black picture.
func NewPicture(width, height int) *Picture {
	p := &Picture{width, height, make([]byte, Size(width, height))}
	p.Fill(Rect{0, 0, width, height}, 16)
	return p
}

// plane is one of the three, with its width.
func (p *Picture) plane(i int) (pix []byte, width int) {
	whole, quarter := p.W*p.H, p.W*p.H/4
	switch i {
	case 0:
		return p.Pix[:whole], p.W
	case 1:
		return p.Pix[whole : whole+quarter], p.W / 2
	}
	return p.Pix[whole+quarter:], p.W / 2
}

// Fill makes a part of it grey; 16 is black.
func (p *Picture) Fill(r Rect, luma byte) {
	for i, value := range []byte{luma, 128, 128} {
		pix, width := p.plane(i)
		in := r.of(i)
		for y := in.Y; y < in.Y+in.H; y++ {
			row := pix[y*width+in.X:][:in.W]
			for x := range row {
				row[x] = value
			}
		}
	}
}

// of is the rectangle in a plane.
func (r Rect) of(plane int) Rect {
	if plane == 0 {
		return r
	}
	return Rect{r.X / 2, r.Y / 2, r.W / 2, r.H / 2}
}

// Draw puts a picture into a part of p. One of another size is stretched, without
// care for beauty: it is shown only until one of the right size comes.
func (p *Picture) Draw(r Rect, from *Picture) {
	for i := range 3 {
		to, toWidth := p.plane(i)
		pix, width := from.plane(i)
		in := r.of(i)
		height := len(pix) / width
		for y := range in.H {
			row := to[(in.Y+y)*toWidth+in.X:][:in.W]
			source := pix[y*height/in.H*width:][:width]
			if width == in.W {
				copy(row, source)
				continue
			}
			for x := range row {
				row[x] = source[x*width/in.W]
			}
		}
	}
}
