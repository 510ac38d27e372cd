package roomsub

import (
	"testing"

	"github.com/muster-fleet/muster/internal/codectest"
)

// Of units that a publisher makes up, none ends the process, and what is a key frame
// has a size.
func FuzzAV1(f *testing.F) {
	for _, c := range codectest.Codecs {
		if c.Name == "av1" {
			f.Add(c.Frames(f, "testsrc2=size=64x64:rate=10")[0])
		}
	}
	f.Fuzz(func(t *testing.T, units []byte) {
		frame := Frame{Data: units}
		inspectAV1(&frame)
		if frame.Key && (frame.Width <= 0 || frame.Height <= 0 || len(frame.Private) < 4) {
			t.Errorf("%x: %+v", units, frame)
		}
	})
}
