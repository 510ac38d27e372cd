package state

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/internal/wire"
)

// declared returns the names of the types that have the methods of an Op,
// as the source says.
func declared(t *testing.T) []string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range tree.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "encode" {
				continue
			}
			names = append(names, f.Recv.List[0].Type.(*ast.Ident).Name)
		}
	}
	return slices.Sorted(slices.Values(names))
}

// layouts returns the type of the operation that each number stands for.
func layouts() []reflect.Type {
	types := make([]reflect.Type, opEnd)
	for number := 1; number < opEnd; number++ {
		types[number] = reflect.TypeOf(decoders[number](reader{Reader: &wire.Reader{Buf: make([]byte, 100)}}))
	}
	return types
}

// TestEveryOperationHasAForm: each operation that the source declares comes out
// of some decoder. Without one it would work on a lone manager, and damage the
// log of a cluster.
func TestEveryOperationHasAForm(t *testing.T) {
	var decoded []string
	for _, typ := range layouts()[1:] {
		decoded = append(decoded, typ.Name())
	}
	slices.Sort(decoded)
	if got, want := slices.Compact(decoded), declared(t); !slices.Equal(got, want) {
		t.Errorf("the decoders read %v, declared are %v", got, want)
	}
}

// TestEveryFieldIsInTheLog: operations with all fields set, and with some, are
// the same after the log, under each of their numbers.
func TestEveryFieldIsInTheLog(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := map[byte]bool{}
	for _, typ := range layouts()[1:] {
		for range 200 {
			v := reflect.New(typ).Elem()
			fill(rng, v)
			want := Command{At: 5, Seed: 6, Op: v.Interface().(Op)}
			var w wire.Writer
			number, err := EncodeCommand(&w, &want)
			if err != nil {
				t.Fatal(err)
			}
			seen[number] = true
			r := wire.Reader{Buf: w.Buf}
			if got := DecodeCommand(&r); !r.Whole() || !reflect.DeepEqual(got, want) {
				t.Fatalf("number %d:\ngot  %#v\nwant %#v", number, got, want)
			}
		}
	}
	if len(seen) != MaxCommand {
		t.Errorf("%d of %d numbers were written", len(seen), MaxCommand)
	}
}

// fill sets a value to something random, and to zero now and then.
func fill(rng *rand.Rand, v reflect.Value) {
	if v.Kind() != reflect.Struct && rng.IntN(3) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(strings.Repeat("x", rng.IntN(200)))
	case reflect.Int, reflect.Int64:
		v.SetInt(rng.Int64() - rng.Int64())
	case reflect.Uint64:
		v.SetUint(rng.Uint64())
	case reflect.Uint8:
		v.SetUint(rng.Uint64N(256))
	case reflect.Float64:
		v.SetFloat(rng.NormFloat64())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(rng, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rng, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+rng.IntN(3), 3))
		for i := range v.Len() {
			fill(rng, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rng.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(rng, key)
			fill(rng, value)
			v.SetMapIndex(key, value)
		}
	default:
		panic("fill does not know " + v.Type().String())
	}
}

func TestCommandWithoutAnOperation(t *testing.T) {
	var w wire.Writer
	if _, err := EncodeCommand(&w, &Command{}); err == nil || len(w.Buf) > 0 {
		t.Errorf("encoded as %v, %v", w.Buf, err)
	}
	if result, _ := New(DefaultConfig()).Apply(Command{}); result.Err == nil {
		t.Error("applied")
	}
}
