package docs

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write api.txt again")

// TestPublicAPI compares what other modules can use with api.txt, so that a
// change of it stands in a diff of its own, where a reviewer sees it.
func TestPublicAPI(t *testing.T) {
	lines := publicAPI(t, "..")
	if len(lines) < 500 {
		t.Fatalf("found %d declarations only", len(lines))
	}
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile("api.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile("api.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(raw)), "\n")
	for _, line := range lines {
		if !slices.Contains(want, line) {
			t.Errorf("added: %s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(lines, line) {
			t.Errorf("removed: %s", line)
		}
	}
	if t.Failed() {
		t.Log("meant? then: go test ./docs -run TestPublicAPI -update, and a line in CHANGELOG.md")
	}
}

// TestAPIOfAPackage shows what counts: a field, a method of an interface, a
// value's name and type; nothing unexported.
func TestAPIOfAPackage(t *testing.T) {
	dir := t.TempDir()
	const source = `package p
type T struct { A int; b int; io.Reader }
func (t *T) M(x int) error { return nil }
func (t *T) m() {}
type I interface { Do(); undone() }
type u struct { X int }
const C, d = 1, 2
var V = u{}
func F[K comparable](k K) (n int) { return 0 }
`
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := apiOf(dir, "p")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"p: const C", "p: func (t *T) M(x int) error", "p: func F[K comparable](k K) (n int)", "p: type I interface",
		"p: type I interface, Do()", "p: type T struct", "p: type T struct, A int", "p: type T struct, io.Reader", "p: var V",
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// publicAPI lists the declarations of every package that others can import,
// sorted.
func publicAPI(t *testing.T, root string) []string {
	var lines []string
	err := filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			return nil
		case name != ".." && (strings.HasPrefix(name, ".") || slices.Contains([]string{"internal", "testdata", "cmd", "examples", "scripts", "findings", "docs", "node_modules"}, name)):
			return fs.SkipDir
		}
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			return err
		}
		found, err := apiOf(dir, filepath.ToSlash(rel))
		lines = append(lines, found...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// apiOf lists the exported declarations of the package in a directory, as it is
// on Linux. There is none in a directory without Go files.
func apiOf(dir, name string) ([]string, error) {
	context := build.Default
	context.GOOS, context.GOARCH = "linux", "amd64"
	pkg, err := context.ImportDir(dir, 0)
	if none := (*build.NoGoError)(nil); errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, file := range pkg.GoFiles {
		parsed, err := parser.ParseFile(fset, filepath.Join(dir, file), nil, 0)
		if err != nil {
			return nil, err
		}
		files = append(files, parsed)
	}
	documented, err := doc.NewFromFiles(fset, files, name)
	if err != nil {
		return nil, err
	}
	l := apiLister{fset: fset, name: name}
	l.values("const", documented.Consts)
	l.values("var", documented.Vars)
	l.funcs(documented.Funcs)
	for _, typ := range documented.Types {
		l.typ(typ)
	}
	return l.lines, nil
}

type apiLister struct {
	fset  *token.FileSet
	name  string
	lines []string
}

func (l *apiLister) add(format string, args ...any) {
	l.lines = append(l.lines, l.name+": "+fmt.Sprintf(format, args...))
}

func (l *apiLister) values(kind string, list []*doc.Value) {
	for _, v := range list {
		for _, name := range v.Names {
			if ast.IsExported(name) {
				l.add("%s %s", kind, name)
			}
		}
	}
}

func (l *apiLister) funcs(list []*doc.Func) {
	for _, f := range list {
		f.Decl.Body = nil
		l.add("%s", l.text(f.Decl))
	}
}

func (l *apiLister) typ(typ *doc.Type) {
	for _, spec := range typ.Decl.Specs {
		spec := spec.(*ast.TypeSpec)
		switch body := spec.Type.(type) {
		case *ast.StructType:
			l.add("type %s struct", spec.Name)
			l.fields("type "+spec.Name.Name+" struct", body.Fields, " ")
		case *ast.InterfaceType:
			l.add("type %s interface", spec.Name)
			l.fields("type "+spec.Name.Name+" interface", body.Methods, "")
		default:
			l.add("type %s", l.text(spec))
		}
	}
	l.values("const", typ.Consts)
	l.values("var", typ.Vars)
	l.funcs(typ.Funcs)
	l.funcs(typ.Methods)
}

// fields lists the members of a struct or an interface; sep stands between a
// member's name and its type.
func (l *apiLister) fields(owner string, list *ast.FieldList, sep string) {
	for _, field := range list.List {
		text := strings.TrimPrefix(l.text(field.Type), "func")
		if len(field.Names) == 0 {
			l.add("%s, %s", owner, text)
		}
		for _, name := range field.Names {
			if name.IsExported() {
				l.add("%s, %s%s%s", owner, name, sep, text)
			}
		}
	}
}

// text is the source of a node in one line.
func (l *apiLister) text(node ast.Node) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, l.fset, node); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
