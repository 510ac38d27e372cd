// Command licences lists the licences of the modules that Muster's programs link,
// and fails on one that is not permissive, or that it does not know.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// licence is known by words that no other has.
type licence struct {
	name, words string
	// permissive: a program under Apache-2.0 may link it.
	permissive bool
}

var licences = []licence{
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy", true},
	{"BSD", "redistribution and use in source and binary forms, with or without modification, are permitted", true},
	{"Apache-2.0", "apache license version 2.0", true},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose", true},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose", true},
	{"Unlicense", "this is free and unencumbered software released into the public domain", true},
	{"CC0", "cc0 1.0 universal", true},
	{"MPL", "mozilla public license", false},
	{"GPL", "gnu general public license", false},
	{"LGPL", "gnu lesser general public license", false},
	{"AGPL", "gnu affero general public license", false},
	{"BUSL", "business source license", false},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run() error {
	modules, err := linked()
	if err != nil {
		return err
	}
	bad := 0
	for _, m := range modules {
		name, dir, _ := strings.Cut(m, "\t")
		found, err := licencesIn(dir)
		if err != nil {
			return err
		}
		mark := ""
		if len(found) == 0 || slices.ContainsFunc(found, func(l licence) bool { return !l.permissive }) {
			mark = "   <- not permissive, or none that is known"
			bad++
		}
		var names []string
		for _, l := range found {
			names = append(names, l.name)
		}
		fmt.Printf("%-60s %s%s\n", name, strings.Join(names, ", "), mark)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d modules have no permissive licence that is known here", bad, len(modules))
	}
	fmt.Printf("%d modules, all permissive\n", len(modules))
	return nil
}

// linked lists the modules of the programs, with their directories.
func linked() ([]string, error) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", "./cmd/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// licencesIn names the licences in the files of a module that have such names.
func licencesIn(dir string) ([]licence, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []licence
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		plain := strings.ToLower(strings.Join(strings.Fields(string(text)), " "))
		for _, l := range licences {
			if strings.Contains(plain, l.words) && !slices.Contains(found, l) {
				found = append(found, l)
			}
		}
	}
	return found, nil
}
