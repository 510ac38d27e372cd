package media

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/muster-fleet/muster/internal/nearest"
)

// decode reads a spec strictly: a field that is unknown or of another type is
// an error that names it.
func decode(raw json.RawMessage, into any) error {
	t := reflect.TypeOf(into).Elem()
	if len(bytes.TrimSpace(raw)) == 0 || string(bytes.TrimSpace(raw)) == "null" {
		return fmt.Errorf("a spec is missing: it is a JSON object with %s", strings.Join(fieldNames(t), ", "))
	}
	if err := onlyKnown(raw, t, ""); err != nil {
		return err
	}
	err := json.Unmarshal(raw, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s must be a %s, not a %s", orSpec(wrong.Field), inJSON(wrong.Type), wrong.Value)
	}
	return err
}

func orSpec(field string) string {
	if field == "" {
		return "the spec"
	}
	return field
}

// inJSON names a type in the words of JSON.
func inJSON(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "JSON object"
	case reflect.Slice:
		return "JSON array"
	case reflect.Int:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Bool:
		return "true or false"
	}
	return t.Kind().String()
}

// onlyKnown looks for fields that t does not have. What is of another type than
// t is left to json.Unmarshal.
func onlyKnown(raw json.RawMessage, t reflect.Type, path string) error {
	switch t.Kind() {
	case reflect.Pointer:
		return onlyKnown(raw, t.Elem(), path)
	case reflect.Slice:
		return onlyKnownIn(raw, t.Elem(), path)
	case reflect.Struct:
	default:
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		field, known := fieldOf(t, name)
		if !known {
			return unknownField(t, path, name)
		}
		if err := onlyKnown(members[name], field.Type, path+name+"."); err != nil {
			return err
		}
	}
	return nil
}

func onlyKnownIn(raw json.RawMessage, t reflect.Type, path string) error {
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		return nil
	}
	for i, e := range elements {
		if err := onlyKnown(e, t, fmt.Sprintf("%s[%d].", strings.TrimSuffix(path, "."), i)); err != nil {
			return err
		}
	}
	return nil
}

func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for _, f := range reflect.VisibleFields(t) {
		if jsonName(f) == name && !f.Anonymous {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if name := jsonName(f); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func unknownField(t reflect.Type, path, name string) error {
	names := fieldNames(t)
	if near := nearest.Word(name, names); near != "" {
		return fmt.Errorf("%s%s is unknown: did you mean %s?", path, name, near)
	}
	return fmt.Errorf("%s%s is unknown: there are %s", path, name, strings.Join(names, ", "))
}

// oneOf says what is wrong where got is not one of the words.
func oneOf[T ~string](field string, got T, words []T) error {
	if slices.Contains(words, got) {
		return nil
	}
	var texts []string
	for _, w := range words {
		texts = append(texts, string(w))
	}
	if near := nearest.Word(string(got), texts); near != "" {
		return fault(field, "%q is unknown: did you mean %q?", got, near)
	}
	return fault(field, "%q is unknown: there are %s", got, strings.Join(texts, ", "))
}

// oneOfOrNone is oneOf for a field that may be left out.
func oneOfOrNone[T ~string](field string, got T, words ...T) error {
	if got == "" {
		return nil
	}
	return oneOf(field, got, words)
}
