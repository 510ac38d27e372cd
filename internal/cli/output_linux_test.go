package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// terminal is a pseudo-terminal to print to: its master end is one, too.
func terminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	return master
}

func TestStyleOnlyOnTerminals(t *testing.T) {
	tty := terminal(t)
	for _, c := range []struct {
		noColor, term string
		want          bool
	}{{"", "xterm", true}, {"1", "xterm", false}, {"", "dumb", false}} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		if got := Styled(tty); got != c.want {
			t.Errorf("NO_COLOR=%q TERM=%q: styled %v, want %v", c.noColor, c.term, got, c.want)
		}
	}
	t.Setenv("TERM", "xterm")
	if Styled(&bytes.Buffer{}) {
		t.Error("a buffer is styled")
	}
}

func TestTableIsAligned(t *testing.T) {
	tab := Table{Heading: []string{"A", "LONG"}}
	tab.Add("wide cell", "")
	tab.Add("é", "x")
	var out strings.Builder
	if err := tab.Print(&out); err != nil {
		t.Fatal(err)
	}
	if want := "A          LONG\nwide cell\né          x\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
