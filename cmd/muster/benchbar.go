package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// benchBarSteps is how finely the bar moves.
const benchBarSteps = 1000

// benchBar shows how much of a benchmark is done, where somebody looks on.
type benchBar struct{ bar *progressbar.ProgressBar }

// newBenchBar returns a bar on w where that is a terminal, else one that shows
// nothing.
func newBenchBar(w io.Writer) *benchBar {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &benchBar{}
	}
	return &benchBar{progressbar.NewOptions(benchBarSteps,
		progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(40),
		progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())}
}

func (b *benchBar) set(done float64) {
	if b.bar != nil {
		_ = b.bar.Set(int(done * benchBarSteps))
	}
}

// close takes the bar away. It may be called again.
func (b *benchBar) close() {
	if b.bar != nil {
		_ = b.bar.Finish()
		b.bar = nil
	}
}
