package rtc

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

var begin = time.Unix(1000, 0)

func at(d time.Duration) time.Time { return begin.Add(d) }

func TestKeyFramesAreSpaced(t *testing.T) {
	var th Throttle
	asked := 0
	for ms := range 3000 { // a request each millisecond for 3 s
		now := at(time.Duration(ms) * time.Millisecond)
		if th.Ask(now) {
			asked++
		}
	}
	if asked != 10 {
		t.Errorf("%d requests in 3 s, want 10", asked)
	}
	last := at(3 * time.Second)
	th = Throttle{}
	if !th.Ask(last) || th.Ask(last.Add(KeyFrameGap/2)) || th.Due(last.Add(KeyFrameGap/2)) {
		t.Error("a second request goes out at once")
	}
	if !th.Due(last.Add(KeyFrameGap)) || th.Due(last.Add(3*KeyFrameGap)) {
		t.Error("a request that was held back goes out once, when its time has come")
	}
}

func TestSpeakers(t *testing.T) {
	var s Speakers
	now := begin
	talk := func(ms int, levels map[string]uint8) {
		for range ms / 20 {
			now = now.Add(20 * time.Millisecond)
			for track, level := range levels {
				s.Hear(track, level, now)
			}
		}
	}
	want := func(changed bool, names ...string) {
		t.Helper()
		got, did := s.Tick(now)
		if !slices.Equal(got, names) || did != changed {
			t.Errorf("speakers %v (changed: %v), want %v (%v)", got, did, names, changed)
		}
	}
	want(false)
	talk(500, map[string]uint8{"a": 20, "b": 90})
	want(true, "a")
	talk(400, map[string]uint8{"a": 127, "b": 90}) // a pause between words
	want(false, "a")
	talk(500, map[string]uint8{"a": 30, "b": 15})
	want(true, "a", "b") // who spoke first keeps the place
	talk(2000, map[string]uint8{"a": 127, "b": 15})
	want(true, "b")
	talk(2000, nil) // muted: no packets at all
	want(true)
	talk(40, map[string]uint8{"c": 10}) // a click is no speech
	want(false)
	s.Forget("b")
}

// three encodings with two temporal layers each
func simulcast(track string, height, priority int) Demand {
	d := Demand{Track: track, Height: height, Priority: priority}
	for i, rate := range []int{150_000, 500_000, 2_000_000} {
		d.Layers = append(d.Layers,
			Layer{Encoding: i, Temporal: 0, Bitrate: rate * 6 / 10, Height: 180 << i}, Layer{Encoding: i, Temporal: 1, Bitrate: rate, Height: 180 << i})
	}
	return d
}

// modelLine is a line as GCC sees it: its estimate falls below what the line carries
// when more is sent, and grows by 8 % a second, but not far beyond what is sent.
type modelLine struct{ capacity, estimate int }

// The estimate is not known while the capacity is 0.
func (l *modelLine) carry(sent int, d time.Duration) Line {
	if l.capacity == 0 {
		return Line{}
	}
	if sent > l.capacity {
		l.estimate = min(l.estimate, l.capacity*85/100)
		return Line{Estimate: l.estimate, Congested: true}
	}
	grown := int(float64(l.estimate) * math.Pow(1.08, d.Seconds()))
	l.estimate = max(l.estimate, min(grown, sent*3/2))
	return Line{Estimate: l.estimate}
}

// tick is how often the allocator is asked.
const tick = 100 * time.Millisecond

// A line that carries less, and more again, in virtual time.
func TestAllocator(t *testing.T) {
	var a Allocator
	demands := []Demand{simulcast("a", 720, 0), simulcast("b", 720, 0)}
	line, sent, now := modelLine{estimate: 1_000_000}, 0, time.Duration(0)
	// run returns what was sent, each time that it changed.
	run := func(capacity int, d time.Duration) (trace []string) {
		line.capacity = capacity
		last := ""
		for end := now + d; now < end; now += tick {
			known := line.carry(sent, tick)
			out := a.Allocate(at(now), known, demands)
			sent = 0
			for _, l := range out {
				sent += l.Bitrate
			}
			if least := 2 * 90_000; known.Congested && sent > max(known.Estimate, least) {
				t.Fatalf("at %v: %d bit/s are sent on a line that is full, of an estimate of %d", now, sent, known.Estimate)
			}
			if line := show(out); line != last {
				trace = append(trace, line)
				last = line
			}
		}
		return trace
	}
	check := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", what, got, want)
		}
	}
	check("nothing is known: what the screen needs", run(0, time.Second), "a=2.1 b=2.1")
	check("it carries that, though the estimate is low", run(5_000_000, 5*time.Second), "a=2.1 b=2.1")
	check("at once what fits", run(1_100_000, 2*time.Second), "a=1.1 b=1.0")
	check("still less", run(200_000, time.Second), "a=0.1", "a=0.0 b=0.0")
	check("more: not at once, a step at a time, and what is too much is tried again later", run(1_500_000, 20*time.Second),
		"a=0.0 b=0.0", "a=0.1 b=0.0", "a=0.1 b=0.1", "a=1.0 b=0.1", "a=1.0 b=1.0", "a=1.1 b=1.0", "a=1.1 b=1.1",
		"a=2.0 b=1.1", "a=0.1 b=0.1", "a=1.0 b=0.1", "a=1.0 b=1.0", "a=1.1 b=1.0", "a=1.1 b=1.1",
		"a=2.0 b=1.1", "a=1.0 b=0.1", "a=1.0 b=1.0", "a=1.1 b=1.0", "a=1.1 b=1.1")
	demands[1].Height = 0
	check("one is hidden: the other gets its share", run(1_500_000, 20*time.Second), "a=2.0", "a=2.1", "a=1.1", "a=2.0", "a=2.1", "a=2.0")
	demands[0].Height = 180
	check("a small picture needs no large layer", run(1_500_000, time.Second), "a=0.1")
}

func show(out map[string]Layer) string {
	var parts []string
	for track, l := range out {
		parts = append(parts, fmt.Sprintf("%s=%d.%d", track, l.Encoding, l.Temporal))
	}
	slices.Sort(parts)
	line := ""
	for i, p := range parts {
		if i > 0 {
			line += " "
		}
		line += p
	}
	return line
}

// A stream that is beyond its bitrate loses what is beyond, in virtual time.
func TestMeter(t *testing.T) {
	var m Meter
	passed := 0
	for d := time.Duration(0); d < 10*time.Second; d += 10 * time.Millisecond {
		if m.Take(at(d), 1250, 500_000) { // 1 Mbit/s
			passed += 8 * 1250
		}
	}
	if passed < 5_000_000 || passed > 5_500_000+1 {
		t.Errorf("%d bits passed in 10 s at 500,000 bit/s, with a second's worth at once", passed)
	}
	for d := 10 * time.Second; d < 20*time.Second; d += 20 * time.Millisecond {
		passed := m.Take(at(d), 1250, 500_000)
		if !passed && d > 11*time.Second {
			t.Fatalf("at %v: a packet of a stream within its bitrate is dropped", d)
		}
	}
	if !m.Take(at(20*time.Second), 1<<20, 0) {
		t.Error("without a limit something is dropped")
	}
}

// What is held back has a reason.
func TestAllocatorSaysWhy(t *testing.T) {
	full, small, hidden := simulcast("a", 720, 0), simulcast("b", 180, 0), simulcast("c", 0, 0)
	silent := Demand{Track: "d", Height: 720}
	for _, c := range []struct {
		estimate int
		demand   Demand
		want     string
	}{
		{0, full, ""},
		{0, small, "its picture is 180 pixels high on the screen"},
		{0, hidden, "its picture is not on the screen"},
		{0, silent, "nothing arrives from its publisher"},
		{1_000_000, full, "the line carries 1000 kbit/s"},
	} {
		var a Allocator
		a.Allocate(begin, Line{Estimate: c.estimate}, []Demand{c.demand})
		if got := a.Held(begin, "the line carries 1000 kbit/s", c.demand); got != c.want {
			t.Errorf("%s: got %q, want %q", c.demand.Track, got, c.want)
		}
	}
	var a Allocator
	a.Allocate(begin, Line{Estimate: 3_000_000}, []Demand{full, small})
	a.Allocate(at(time.Second), Line{Estimate: 100_000}, []Demand{full, small})
	for d, want := range map[*Demand]string{&full: "the line carries 100 kbit/s; a better layer was too much, and is tried again in 2s", &small: "the line carries 100 kbit/s, which other tracks fill"} {
		if got := a.Held(at(time.Second), "the line carries 100 kbit/s", *d); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A raise that fails is tried again later each time.
func TestAllocatorBacksOff(t *testing.T) {
	var a Allocator
	demands := []Demand{simulcast("a", 720, 0)}
	a.Allocate(begin, Line{Estimate: 600_000}, demands)
	var raises []time.Duration
	estimate := 600_000
	had := 1
	for d := time.Duration(0); d < 2*time.Minute; d += 100 * time.Millisecond {
		out := a.Allocate(at(d), Line{Estimate: estimate, Congested: estimate < 3_000_000}, demands)
		switch is := out["a"].Encoding; {
		case is > had:
			raises = append(raises, d)
			estimate = 600_000 // the larger layer congests the line
			had = is
		case is < had:
			had = is
		default:
			estimate = 3_000_000 // the line looks empty
		}
	}
	if len(raises) < 4 {
		t.Fatalf("raises at %v", raises)
	}
	for i := 2; i < min(len(raises), 5); i++ {
		if raises[i]-raises[i-1] < min((raises[i-1]-raises[i-2])*3/2, raiseAfterMost) {
			t.Errorf("raises at %v: the pauses do not grow", raises)
		}
	}
}

// A shared screen gets its best before faces get more than their least.
func TestAllocatorPriority(t *testing.T) {
	var a Allocator
	out := a.Allocate(begin, Line{Estimate: 2_500_000}, []Demand{simulcast("face", 720, 0), simulcast("screen", 720, 1)})
	if got := show(out); got != "face=1.1 screen=2.1" {
		t.Errorf("got %s", got)
	}
	var many []Demand
	for i := range 20 {
		many = append(many, simulcast(fmt.Sprintf("t%02d", i), 720, 0))
	}
	if got := len(new(Allocator).Allocate(begin, Line{Estimate: 500_000}, many)); got != 5 {
		t.Errorf("%d tracks are sent on a line for five", got)
	}
}

func TestRanksOfEncodings(t *testing.T) {
	for _, rids := range [][]string{{"q", "h", "f"}, {"f", "h", "q"}, {"0", "1", "2"}, {"l", "m", "h"}, {"h", "l", "m"}} {
		ranks := rankRIDs(rids)
		smallest := map[bool]string{true: "q", false: "l"}[slices.Contains(rids, "q")]
		if slices.Contains(rids, "0") {
			smallest = "0"
		}
		if len(ranks) != 3 || ranks[smallest] != 0 {
			t.Errorf("%v: %v", rids, ranks)
		}
	}
}

// Estimates that were recorded on real lines, whose rate changed, by
// scripts/record-line. A recording does not answer to what is sent now: what is held
// here is that a full line gets less at once, that the picture does not flap, and
// that there always is one.
func TestAllocatorOnRecordedLines(t *testing.T) {
	files, err := filepath.Glob("testdata/lines/*.csv")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			var a Allocator
			changes, last, estimate := 0, Layer{Encoding: -1}, 0
			rows := recorded(t, name)
			for _, r := range rows {
				full := float64(r.estimate) < fallen*float64(estimate)
				estimate = r.estimate
				d := Demand{Track: "a", Height: 720}
				for i, rate := range r.layers {
					if rate > 0 {
						d.Layers = append(d.Layers, Layer{Encoding: i, Bitrate: rate, Height: 180 << i})
					}
				}
				if len(d.Layers) == 0 {
					continue // nothing came yet
				}
				got, ok := a.Allocate(at(r.at), Line{Estimate: r.estimate}, []Demand{d})["a"]
				if !ok {
					t.Fatalf("at %v nothing is sent", r.at)
				}
				if full && got.Encoding > 0 && got.Bitrate > r.estimate {
					t.Errorf("at %v: the estimate fell to %d, and encoding %d is sent for %d", r.at, r.estimate, got.Encoding, got.Bitrate)
				}
				if got.Encoding != last.Encoding {
					changes++
				}
				last = got
			}
			lasts := rows[len(rows)-1].at
			t.Logf("%d changes in %v", changes, lasts)
			if most := int(lasts / (2 * time.Second)); changes > most {
				t.Errorf("%d changes in %v, more than %d", changes, lasts, most)
			}
		})
	}
}

// recordedRow is a row of a recorded line.
type recordedRow struct {
	at       time.Duration
	estimate int
	layers   []int
}

func recorded(t *testing.T, name string) (rows []recordedRow) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	table, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range table[1:] {
		n := make([]int, len(line))
		for i, field := range line {
			if n[i], err = strconv.Atoi(field); err != nil {
				t.Fatal(err)
			}
		}
		rows = append(rows, recordedRow{time.Duration(n[0]) * time.Millisecond, 1000 * n[2], []int{1000 * n[3], 1000 * n[4], 1000 * n[5]}})
	}
	return rows
}
