package state

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed is what state, sched and wire may import: nothing that knows the time, the
// machine, other goroutines, or chance.
var allowed = []string{
	"hash/maphash", // differs between replicas, and orders nothing: see taskTable
	"bytes", "cmp", "encoding/binary", "encoding/json", "errors", "fmt", "hash/crc32", "iter", "maps", "math",
	"math/bits", "slices", "strconv", "strings", "unicode/utf8",
	"github.com/muster-fleet/muster", "github.com/muster-fleet/muster/internal/purposes", "github.com/muster-fleet/muster/internal/sched", "github.com/muster-fleet/muster/internal/wire",
}

func TestImportsNothingThatDiffersBetweenReplicas(t *testing.T) {
	for _, dir := range []string{".", "../sched", "../wire", "../purposes"} {
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range pkg.Imports {
			if !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s, with which replicas could decide differently", dir, path)
			}
		}
		for _, file := range pkg.GoFiles {
			checkNoConcurrency(t, dir+"/"+file)
		}
	}
}

func TestSchedKnowsNothingOfState(t *testing.T) {
	pkg, err := build.ImportDir("../sched", 0)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(pkg.Imports, "github.com/muster-fleet/muster/internal/state") {
		t.Error("sched imports state; the way is state, sched, muster")
	}
}

func TestDependsOnNoNetworkLogOrChance(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		for _, banned := range []string{"net", "log", "math/rand", "os/exec", "os/signal", "crypto/rand"} {
			if path == banned || strings.HasPrefix(path, banned+"/") {
				t.Errorf("state depends on %s", path)
			}
		}
	}
}

func checkNoConcurrency(t *testing.T, file string) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType, *ast.SendStmt:
			t.Errorf("%s: goroutines and channels do not belong here", set.Position(n.Pos()))
		}
		return true
	})
}
