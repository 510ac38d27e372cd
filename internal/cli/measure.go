package cli

import (
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"
)

// MeasureFlags are the flags that every benchmark has.
type MeasureFlags struct {
	Format     ResultFormat
	cpuProfile string
}

// Add adds the flags to a command.
func (f *MeasureFlags) Add(cmd *cobra.Command) {
	f.Format = ResultFormat(Tabular)
	cmd.Flags().VarP(&f.Format, "output", "o", "how to print")
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
