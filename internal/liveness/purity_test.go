package liveness

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// Liveness is decided from ticks and messages alone, so that a simulation can run
// it: nothing here may use a clock, the machine, or a random source.
func TestKnowsNoClock(t *testing.T) {
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pkg.Imports {
		if !slices.Contains([]string{"slices", "time"}, path) {
			t.Errorf("liveness imports %s", path)
		}
	}
	for _, file := range pkg.GoFiles {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				allowed := []string{"Duration", "Millisecond"}
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && !slices.Contains(allowed, s.Sel.Name) {
					t.Errorf("%s uses time.%s", file, s.Sel.Name)
				}
			}
			return true
		})
	}
}
