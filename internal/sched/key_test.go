package sched

import (
	"reflect"
	"slices"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/purposes"
)

// TestEveryFieldOfAPreferenceIsInTheKey: preferences with equal keys share a
// view, so that a field that the key omits would give one caller the workers
// of another's requirement.
func TestEveryFieldOfAPreferenceIsInTheKey(t *testing.T) {
	all := purposes.Purpose{Place: true, Codecs: true, Algorithm: true}
	base := requirement{all, muster.Preference{Labels: []muster.LabelRequirement{{Key: "k", In: []string{"v"}}}}}
	keys := map[string]string{base.key(): "no change"}
	eachLeaf(reflect.TypeFor[muster.Preference](), nil, func(path []int, name string) {
		if name == ".Ignored" {
			return // asks for nothing
		}
		r := base
		r.Labels = slices.Clone(base.Labels)
		change(reflect.ValueOf(&r.Preference).Elem(), path)
		key := r.key()
		if other, taken := keys[key]; taken {
			t.Errorf("a change of Preference%s has the key of %s", name, other)
		}
		keys[key] = "Preference" + name
	})
	if len(keys) < 9 {
		t.Errorf("%d different keys, want one for each field", len(keys))
	}
}

// TestEveryTraitIsInTheKey: workers with equal keys share a class, so that a
// trait that the key omits would hide what sets them apart.
func TestEveryTraitIsInTheKey(t *testing.T) {
	changes := map[string]func(*traits){
		"isps":       func(t *traits) { t.isps = []string{"x"} },
		"regions":    func(t *traits) { t.regions = []string{"x"} },
		"encode":     func(t *traits) { t.encode = []string{"x"} },
		"decode":     func(t *traits) { t.decode = []string{"x"} },
		"algorithms": func(t *traits) { t.algorithms = []string{"x"} },
		"labels":     func(t *traits) { t.labels = map[string]string{"x": "y"} },
	}
	keys := map[string]string{new(traits).key(): "no change"}
	for field := range reflect.TypeFor[traits]().Fields() {
		apply, ok := changes[field.Name]
		if !ok {
			t.Fatalf("traits.%s is not in this test: add it here, and to traits.key", field.Name)
		}
		var changed traits
		apply(&changed)
		key := changed.key()
		if other, taken := keys[key]; taken {
			t.Errorf("a change of traits.%s has the key of %s", field.Name, other)
		}
		keys[key] = "traits." + field.Name
	}
}

// TestEveryStrategyHasAnIndex: an unknown one panics, and does not turn into
// another.
func TestEveryStrategyHasAnIndex(t *testing.T) {
	indexes := map[reflect.Type]bool{}
	for _, strategy := range muster.Strategies {
		index := (&Pool{strategy: strategy}).newIndex()
		indexes[reflect.TypeOf(index)] = true
	}
	if len(indexes) != len(muster.Strategies)-1 { // least-used and most-used share one
		t.Errorf("%d kinds of index for %d strategies", len(indexes), len(muster.Strategies))
	}
	defer func() {
		if recover() == nil {
			t.Error("an unknown strategy has an index")
		}
	}()
	(&Pool{strategy: "unheard-of"}).newIndex()
}

// eachLeaf calls f for each field that is no struct, also within structs and
// the elements of lists of them.
func eachLeaf(typ reflect.Type, path []int, f func(path []int, name string)) {
	var walk func(typ reflect.Type, path []int, name string)
	walk = func(typ reflect.Type, path []int, name string) {
		for field := range typ.Fields() {
			path, name, typ := append(slices.Clone(path), field.Index[0]), name+"."+field.Name, field.Type
			if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct {
				typ = typ.Elem()
			}
			if typ.Kind() == reflect.Struct {
				walk(typ, path, name)
				continue
			}
			f(path, name)
		}
	}
	walk(typ, path, "")
}

// change gives the field a value that it did not have. Of a list of structs it
// changes the first.
func change(v reflect.Value, path []int) {
	for _, i := range path {
		if v.Kind() == reflect.Slice {
			v = v.Index(0)
		}
		v = v.Field(i)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("another")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		v.Index(0).SetString("another")
	default:
		panic("a field of kind " + v.Kind().String() + ": teach this test to change it")
	}
}
