package config

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// field is where a key's value lives in a Config.
type field interface {
	words() string
	read(*Config, value) error
	show(*Config) any
	same(a, b *Config) bool
	move(to, from *Config)
}

// typed is a field whose value is a T.
type typed[T comparable] struct {
	codec codec[T]
	get   func(*Config) T
	set   func(*Config, T)
}

func (f typed[T]) words() string          { return f.codec.words }
func (f typed[T]) show(c *Config) any     { return f.codec.show(f.get(c)) }
func (f typed[T]) same(a, b *Config) bool { return f.get(a) == f.get(b) }
func (f typed[T]) move(to, from *Config)  { f.set(to, f.get(from)) }

func (f typed[T]) read(c *Config, v value) error {
	got, err := f.codec.read(v)
	if err == nil {
		f.set(c, got)
	}
	return err
}

// at returns a field of Config that where points to.
func at[T comparable](c codec[T], where func(*Config) *T) field {
	return typed[T]{c,
		func(c *Config) T { return *where(c) },
		func(c *Config, v T) { *where(c) = v },
	}
}

// in returns a field that is an entry of a map; the zero T means no entry.
func in[T comparable](c codec[T], where func(*Config) map[string]T, name string) field {
	var none T
	return typed[T]{c,
		func(c *Config) T { return where(c)[name] },
		func(c *Config, v T) {
			if v == none {
				delete(where(c), name)
				return
			}
			where(c)[name] = v
		},
	}
}

type debitValue struct {
	mode  state.DebitMode
	fixed float64
}

func debitField() field {
	return typed[debitValue]{debit(),
		func(c *Config) debitValue { return debitValue{c.Debit.Mode, c.Debit.Fixed} },
		func(c *Config, v debitValue) { c.Debit.Mode, c.Debit.Fixed = v.mode, v.fixed },
	}
}

func strategyGeneral(c *Config) *muster.Strategy { return &c.Strategy.General }

func strategyByPurpose(c *Config) map[string]muster.Strategy { return c.Strategy.ByPurpose }

func labelsOf(c *Config) map[string]string { return c.Labels }

// lookup returns the key of that name, including names that the user chose.
func lookup(name string) (key, bool) {
	if i := slices.IndexFunc(keys, func(k key) bool { return k.name == name }); i >= 0 {
		return keys[i], true
	}
	section, own, _ := strings.Cut(name, ".")
	switch {
	case own == "":
	case section == "strategy":
		return key{name: name, meaning: "Strategy of the purpose " + own + ".",
			field: in(strategy(), strategyByPurpose, own)}, true
	case section == "labels":
		return key{name: name, restart: true, meaning: "The label " + own + ".", field: in(label(), labelsOf, own)}, true
	}
	return key{}, false
}

// label is a text that is not empty, to distinguish it from no label.
func label() codec[string] {
	c := name()
	read := c.read
	c.read = func(v value) (string, error) {
		s, err := read(v)
		if err != nil && s == "" && v.shape == shapeString {
			err = errors.New("must not be empty: a label that only has to exist may be \"yes\"")
		}
		return s, err
	}
	return c
}

// list returns every key of the configuration. In each section the fixed keys
// come first, then those that the user chose, sorted by name.
func (c *Config) list() []key {
	var out []key
	for _, s := range sections {
		for _, k := range keys {
			if sectionOf(k.name) == s.name {
				out = append(out, k)
			}
		}
		for _, own := range c.madeUp(s.name) {
			k, _ := lookup(s.name + "." + own)
			out = append(out, k)
		}
	}
	return out
}

func (c *Config) madeUp(section string) []string {
	switch section {
	case "strategy":
		return slices.Sorted(maps.Keys(c.Strategy.ByPurpose))
	case "labels":
		return slices.Sorted(maps.Keys(c.Labels))
	}
	return nil
}

// sectionOf and ownName split the name of a fixed key at its last dot.
func sectionOf(name string) string { return name[:max(0, strings.LastIndexByte(name, '.'))] }

func ownName(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
