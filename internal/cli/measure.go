package cli

import (
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"
)

// MeasureFlags are the flags that every benchmark has.
type MeasureFlags struct {
	Format     Format
	cpuProfile string
}

// Add adds the flags to a command.
func (f *MeasureFlags) Add(cmd *cobra.Command) {
	WordVar(cmd.Flags(), &f.Format, "output", "o", "how to print", Tabular, JSON, Markdown)
	cmd.Flags().StringVar(&f.cpuProfile, "cpuprofile", "", "write a CPU profile, for go tool pprof, to this `file`")
}

// Profiled runs f, and writes a profile of it where one is wanted.
func (f *MeasureFlags) Profiled(run func() error) error {
	if f.cpuProfile == "" {
		return run()
	}
	file, err := os.Create(f.cpuProfile)
	if err != nil {
		return fmt.Errorf("--cpuprofile: %w", err)
	}
	defer file.Close()
	if err := pprof.StartCPUProfile(file); err != nil {
		return fmt.Errorf("--cpuprofile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return run()
}

// Measure shows a progress bar while run measures, and prints the results, also
// those of a measurement that failed or was interrupted. single prints one
// result as an object in JSON.
func Measure[R any](cmd *cobra.Command, f *MeasureFlags, columns []Column[R], single bool, run func(*Bar) ([]R, error)) error {
	return f.Profiled(func() error {
		bar := NewBar(cmd.ErrOrStderr())
		results, err := run(bar)
		bar.Close()
		if len(results) > 0 {
			if err := PrintResults(cmd.OutOrStdout(), f.Format, columns, results, single); err != nil {
				return err
			}
		}
		return err
	})
}

// Part moves the bar to done of total.
func Part[N ~int | ~int64](bar *Bar) func(done, total N) {
	return func(done, total N) { bar.Set(float64(done) / float64(total)) }
}
