package rtc

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever is lost, comes late, is left out or switched: what a subscriber gets
// has numbers without a repetition, those in order rise by one but for what was
// lost on the way to us, and what is asked for again has the same numbers.
func TestNumbering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n numbering
		type source struct {
			number, picture uint16
			timestamp       uint32
			late            []packet
		}
		sources := [2]*source{}
		for i := range sources {
			sources[i] = &source{
				number: rapid.Uint16().Draw(t, "number"), picture: rapid.Uint16Max(0x7fff).Draw(t, "picture"),
				timestamp: rapid.Uint32().Draw(t, "timestamp"),
			}
		}
		make := func(s *source, key bool, temporal uint8) packet {
			s.number++
			s.picture = (s.picture + 1) & 0x7fff
			s.timestamp += 3000
			return packet{
				number: s.number, timestamp: s.timestamp, start: true, key: key, temporal: temporal,
				vp8: vp8Descriptor{pictureAt: 2, long: true, picture: s.picture, temporal: temporal, sync: true},
			}
		}
		given := map[uint16]sent{}
		var last sent
		var lastPicture uint16
		// missing were lost and not noticed yet; holes and pictures are the
		// numbers that were kept for those that were.
		var missing, holes, pictures uint16
		current := 0
		first := make(sources[0], true, 0)
		n.switchTo(0, &first, 0)
		check := func(p packet) {
			holes, pictures, missing = holes+missing, pictures+missing, 0
			s, ok := n.pass(&p, 1)
			if dropped := p.temporal > 1; dropped == ok {
				t.Fatalf("a packet of temporal layer %d passes: %v", p.temporal, ok)
			}
			if !ok {
				return
			}
			if _, twice := given[s.out]; twice {
				t.Fatalf("number %d was given twice", s.out)
			}
			if len(given) > 0 && s.out != last.out+1+holes {
				t.Fatalf("number %d after %d, and %d lost", s.out, last.out, holes)
			}
			picture := (p.vp8.picture + s.picture) & 0x7fff
			if len(given) > 0 && picture != (lastPicture+1+pictures)&0x7fff {
				t.Fatalf("picture %d after %d, and %d lost", picture, lastPicture, pictures)
			}
			if again, ok := n.find(s.out); !ok || again != s {
				t.Fatalf("asked for again: %v, %v; want %v", again, ok, s)
			}
			given[s.out], last, lastPicture, holes, pictures = s, s, picture, 0, 0
		}
		check(first)
		t.Repeat(map[string]func(*rapid.T){
			"arrives": func(*rapid.T) {
				check(make(sources[current], false, rapid.Uint8Range(0, 2).Draw(t, "temporal")))
			},
			"is lost, or late": func(*rapid.T) {
				p := make(sources[current], false, 0)
				sources[current].late = append(sources[current].late, p)
				missing++
			},
			"comes late": func(t *rapid.T) {
				s := sources[current]
				if len(s.late) == 0 || missing > 0 || holes > 0 {
					t.Skip()
				}
				p := s.late[len(s.late)-1]
				s.late = s.late[:len(s.late)-1]
				got, ok := n.pass(&p, 1)
				if !ok {
					t.Fatalf("a packet that comes late is not sent")
				}
				if _, twice := given[got.out]; twice {
					t.Fatalf("number %d of a late packet was given before", got.out)
				}
				given[got.out] = got
			},
			"switches": func(*rapid.T) {
				for _, s := range sources {
					s.late = nil
				}
				current = 1 - current
				p := make(sources[current], true, 0)
				n.switchTo(int8(current), &p, 3000)
				missing, pictures = 0, 0
				check(p)
			},
		})
	})
}

func TestNumberingAfterALongLoss(t *testing.T) {
	var n numbering
	first := packet{number: 10}
	n.switchTo(0, &first, 0)
	a, _ := n.pass(&first, 0)
	b, ok := n.pass(&packet{number: 10 + 5000}, 0)
	if !ok || b.out != a.out+1 {
		t.Errorf("after 5000 lost packets: %d after %d", b.out, a.out)
	}
}

func TestRing(t *testing.T) {
	var r ring
	put := func(n uint16) { r.put(packet{number: n}, []byte{byte(n)}) }
	want := func(n uint16, v verdict) {
		t.Helper()
		if got := r.judge(n); got != v {
			t.Errorf("packet %d is %d, want %d", n, got, v)
		}
	}
	want(65530, fresh)
	put(65530)
	want(65530, duplicate)
	want(3, fresh)
	put(3)
	want(65535, late)
	put(65535)
	want(65535, duplicate)
	if p, ok := r.get(65535); !ok || p.payload[0] != 255 {
		t.Errorf("got %v, %v", p, ok)
	}
	put(3 + ringSize)
	if _, ok := r.get(3); ok {
		t.Error("an old packet is still there")
	}
	want(3, duplicate)
}
