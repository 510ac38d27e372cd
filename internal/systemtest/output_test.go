package systemtest

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// tailLines is how many lines of each process a failed test prints.
const tailLines = 50

// output is what one process prints.
type output struct {
	name string

	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) has(text string) bool { return strings.Contains(o.String(), text) }

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// outputs is what several processes print, each one by itself.
type outputs struct {
	mu  sync.Mutex
	all []*output
}

// of returns where one more process prints.
func (o *outputs) of(name string) io.Writer {
	one := &output{name: name}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, one)
	return one
}

func (o *outputs) each() []*output {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*output(nil), o.all...)
}

// count counts a text in what was printed.
func (o *outputs) count(text string) (n int) {
	for _, one := range o.each() {
		n += strings.Count(one.String(), text)
	}
	return n
}

// tails returns the last lines of each process.
func (o *outputs) tails() string {
	var b strings.Builder
	for _, one := range o.each() {
		lines := strings.Split(strings.TrimRight(one.String(), "\n"), "\n")
		if left := len(lines) - tailLines; left > 0 {
			lines = append([]string{fmt.Sprintf("... %d lines before", left)}, lines[left:]...)
		}
		fmt.Fprintf(&b, "--- %s\n%s\n", one.name, strings.Join(lines, "\n"))
	}
	return b.String()
}
