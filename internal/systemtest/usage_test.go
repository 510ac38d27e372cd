package systemtest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is the time of processors that processes have taken, and how much there
// was that went unused.
type usage struct {
	at   time.Time
	took map[string]float64 // seconds, by what the process is
	idle float64
}

// ticks is in how many parts Linux counts a second of a processor.
const ticks = 100

// use reads it. A process that is not there has taken nothing.
func use(pids map[string]int) usage {
	u := usage{at: time.Now(), took: map[string]float64{}}
	for name, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(text), ") ") // what follows the name begins with field 3
		u.took[name] = field(rest, 11) + field(rest, 12)
	}
	text, _ := os.ReadFile("/proc/stat")
	u.idle = field(string(text), 4) + field(string(text), 5)
	return u
}

func field(line string, i int) float64 {
	fields := strings.Fields(line)
	if i >= len(fields) {
		return 0
	}
	n, _ := strconv.ParseFloat(fields[i], 64)
	return n / ticks
}

// since is how many processors were in use since an earlier reading.
func (u usage) since(before usage) string {
	passed := u.at.Sub(before.at).Seconds()
	var b strings.Builder
	for _, name := range []string{"manager", "broker", "flood", "callers and workers"} {
		if took, ok := u.took[name]; ok {
			fmt.Fprintf(&b, "%s %.2f, ", name, (took-before.took[name])/passed)
		}
	}
	return fmt.Sprintf("processors: %sidle %.2f", b.String(), (u.idle-before.idle)/passed)
}
