package cli

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// barSteps is how finely the bar moves.
const barSteps = 1000

// Bar shows how much of a benchmark is done, on a terminal.
type Bar struct{ bar *progressbar.ProgressBar }

// NewBar returns a bar on w where that is a terminal, else one that shows
// nothing.
func NewBar(w io.Writer) *Bar {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &Bar{}
	}
	return &Bar{progressbar.NewOptions(barSteps,
		progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(40),
		progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())}
}

// Set moves the bar to done, from 0 to 1.
func (b *Bar) Set(done float64) {
	if b.bar != nil {
		_ = b.bar.Set(int(done * barSteps))
	}
}

// IsShown reports whether there is a bar.
func (b *Bar) IsShown() bool { return b.bar != nil }

// Describe sets the words before the bar.
func (b *Bar) Describe(text string) {
	if b.bar != nil {
		b.bar.Describe(text)
	}
}

// Close removes the bar. It may be called again.
func (b *Bar) Close() {
	if b.bar != nil {
		_ = b.bar.Finish()
		b.bar = nil
	}
}
