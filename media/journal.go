package media

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// journal reads what ffmpeg writes to stderr with -loglevel level+verbose: what
// it found in the inputs, how many packets each output track got, and what went
// wrong. The words are the same from ffmpeg 5.1 to 7.1.
type journal struct {
	mu      sync.Mutex
	current []byte

	// seconds are what the inputs announce, by their numbers.
	seconds map[int]float64
	// streams are those of the first input. found is called with them before anything
	// is written; it may be nil.
	streams []StreamInfo
	format  string
	found   func(*Probe)
	mapped  bool
	tracks  []track
	// broken counts pictures and packets that could not be decoded.
	broken int
	// early is what the demuxer says of an input that ends before it should.
	early string
	// broke is why an input over the network could not be read on.
	broke string
	// playlist is set where an input is one, as of HLS; missing counts its segments
	// that could not be read, of which missed is the last.
	playlist bool
	missing  int
	missed   string
	// firstErrors and lastErrors are distinct lines.
	firstErrors, lastErrors []string
}

// track is one stream of an output.
type track struct {
	output, index int
	kind          string
	packets       int64
}

// mostLine bounds a line, mostErrors each list of errors.
const (
	mostLine   = 400
	mostErrors = 3
)

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.current = splitLines(j.current, p, mostLine, j.line)
	return len(p), nil
}

var (
	// levelled is a line: contexts such as [mov @ 0x5], the level, the text.
	levelled = lazily(`^((?:\[[^\]]* @ [^\]]*\] )*)\[(info|verbose|warning|error|fatal|panic)\] (.*)$`)

	inputLine    = lazily(`^Input #(\d+), ([^ ]+), `)
	durationLine = lazily(`^  Duration: ([\d:.]+), `)
	streamLine   = lazily(`^  Stream #(\d+):(\d+)\S*: (Video|Audio|Subtitle): (.*)$`)
	muxedLine    = lazily(`^  Output stream #(\d+):(\d+) \((\w+)\): .*?(\d+) packets muxed`)
	earlyLine    = lazily(`partial file|File ended prematurely|Stream ends prematurely|moov atom not found|Truncat(?:ed|ing) packet`)
	brokeLine    = lazily(`^(?:Error during demuxing|[a-z]+://\S*): (.*(?:error|timed out|reset|aborted).*)$`)
	missedLine   = lazily(`^Failed to open (?:segment|fragment)|^skipping \d+ segments ahead`)
	cutLine      = lazily(`^Stream ends prematurely`)
	brokenLine   = lazily(`^Error while decoding stream|^Decoding error:|corrupt input packet`)
	// genericLine are errors that follow from others.
	genericLine = lazily(`^Conversion failed|^Task finished with error|^Terminating thread|^Error (?:while )?(?:opening|initializing|reinitializing|sending|submitting|processing) |^Nothing was written|^Could not open encoder before EOF|^Could not write header|^Error (?:muxing|encoding) a|^Error applying bitstream|^Error writing trailer`)
)

func (j *journal) line(text string) {
	m := levelled().FindStringSubmatch(strings.TrimRight(text, " "))
	if m == nil {
		return
	}
	level, said := m[2], m[3]
	switch level {
	case "info":
		j.info(said)
	case "verbose":
		j.counted(said)
	case "error", "fatal", "panic":
		j.failed(said)
		if m := brokeLine().FindStringSubmatch(said); m != nil {
			j.broke = m[1]
		}
	}
	if earlyLine().MatchString(said) && j.early == "" {
		j.early = redact(said)
	}
	if brokenLine().MatchString(said) {
		j.broken++
	}
	if missedLine().MatchString(said) || j.playlist && cutLine().MatchString(said) {
		if said = redact(said); j.missed != said {
			j.missing, j.missed = j.missing+1, said
		}
	}
}

// endedEarly is what the demuxer said of an input that ends too early.
func (j *journal) endedEarly() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.early
}

// extent is what the longest input announces.
func (j *journal) extent() extent {
	j.mu.Lock()
	defer j.mu.Unlock()
	longest := j.longest()
	return extent{longest: longest, shortest: longest, exact: true}
}

func (j *journal) longest() (seconds float64) {
	for _, s := range j.seconds {
		seconds = max(seconds, s)
	}
	return seconds
}

// ended reports whether the input of a run is one of which nothing more comes:
// what a web server says the length of is a file, and would begin again at its
// start.
func (j *journal) ended(input place) bool {
	return (input.scheme == "http" || input.scheme == "https") && j.extent().longest > 0
}

// info reads the announcement of an input.
func (j *journal) info(said string) {
	if m := inputLine().FindStringSubmatch(said); m != nil {
		if j.seconds == nil {
			j.seconds, j.format = map[int]float64{}, m[2]
		}
		j.seconds[atoi(m[1])] = 0
		j.playlist = j.playlist || m[2] == "hls" || m[2] == "dash"
	} else if m := durationLine().FindStringSubmatch(said); m != nil && len(j.seconds) > 0 {
		j.seconds[len(j.seconds)-1] = clock(m[1])
	} else if m := streamLine().FindStringSubmatch(said); m != nil && m[1] == "0" && !j.mapped && !strings.Contains(m[4], "(attached pic)") {
		j.streams = append(j.streams, streamOf(atoi(m[2]), strings.ToLower(m[3]), m[4]))
	} else if (said == "Stream mapping:" || strings.HasPrefix(said, "Output #")) && !j.mapped {
		j.mapped = true // outputs follow in the same words
		if j.found != nil {
			j.found(&Probe{Container: j.format, Streams: j.streams})
		}
	}
}

// counted reads how much was written to a track.
func (j *journal) counted(said string) {
	if m := muxedLine().FindStringSubmatch(said); m != nil {
		packets, _ := strconv.ParseInt(m[4], 10, 64)
		j.tracks = append(j.tracks, track{atoi(m[1]), atoi(m[2]), m[3], packets})
	}
}

func (j *journal) failed(said string) {
	said = redact(said)
	switch {
	case said == "" || slices.Contains(j.firstErrors, said) || slices.Contains(j.lastErrors, said):
	case len(j.firstErrors) < mostErrors:
		j.firstErrors = append(j.firstErrors, said)
	default:
		if len(j.lastErrors) == mostErrors {
			j.lastErrors = j.lastErrors[1:]
		}
		j.lastErrors = append(j.lastErrors, said)
	}
}

// last are the errors, the first and the last of them; those that only follow
// from others come last where there are others.
func (j *journal) last() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var causes, generic []string
	for _, line := range slices.Concat(j.firstErrors, j.lastErrors) {
		if genericLine().MatchString(line) {
			generic = append(generic, line)
		} else {
			causes = append(causes, line)
		}
	}
	if len(causes) == 0 {
		return generic
	}
	return causes
}

func atoi(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
