package main

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/doccmd"
)

// TestDocumentedCommands: each call of musterbench on a page has a verb and flags that
// exist.
func TestDocumentedCommands(t *testing.T) {
	n := 0
	for _, c := range doccmd.All(t) {
		if c.Name() != "musterbench" {
			continue
		}
		n++
		root, _ := newRootCmd()
		cmd, rest, err := root.Find(c.Argv[1:])
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if err != nil {
			t.Errorf("%s: %s: %v", c.Page, c.Line, err)
		}
	}
	if n < 5 {
		t.Errorf("found %d calls, want at least 5", n)
	}
}

func TestEachVerbHasAnExample(t *testing.T) {
	root, _ := newRootCmd()
	doccmd.Help(t, root, func(*cobra.Command) {})
}
