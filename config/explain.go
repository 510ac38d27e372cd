package config

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// explained is the JSON of Explain.
type explained struct {
	Bus      explainedBus   `json:"bus"`
	Settings []explainedKey `json:"settings"`
	Warnings []string       `json:"warnings"`
}

type explainedBus struct {
	Kind BusKind `json:"kind"`
	URL  URL     `json:"url"`
}

type explainedKey struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
	Source Source `json:"source"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Name   string `json:"name,omitempty"`
}

// Explain prints every key in force, its value and where it came from, as a
// "table" or as "json". Secrets are hidden.
func (c *Config) Explain(w io.Writer, format string) error {
	switch format {
	case "table":
		return c.explainTable(w)
	case "json":
		return c.explainJSON(w)
	}
	return fmt.Errorf("unknown format %q: use table or json", format)
}

func (c *Config) explanation() explained {
	out := explained{Bus: explainedBus{c.BusKind(), c.BusURL()}, Settings: []explainedKey{}, Warnings: c.Warnings()}
	for _, k := range c.list() {
		o := c.Origin(k.name)
		// Keys without effect are of interest only if they were set.
		if k.inert && o.Source == FromDefault {
			continue
		}
		out.Settings = append(out.Settings, explainedKey{k.name, k.show(c), o.String(), o.Source, o.File, o.Line, o.Column, o.Name})
	}
	if out.Warnings == nil {
		out.Warnings = []string{}
	}
	return out
}

func (c *Config) explainJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(c.explanation())
}

func (c *Config) explainTable(w io.Writer) error {
	e := c.explanation()
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "KEY\tVALUE\tFROM")
	for _, s := range e.Settings {
		value := fmt.Sprint(s.Value)
		if value == "" {
			value = "-"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", s.Key, value, s.Origin)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nmessage queue: %s, %s\n", e.Bus.Kind, e.Bus.URL)
	for _, warning := range e.Warnings {
		_, err = fmt.Fprintf(w, "warning: %s\n", warning)
	}
	return err
}

// A Setting is a key of the configuration in force.
type Setting struct {
	Key string
	// Value is as the file would have it; a secret is not shown.
	Value string
	// Origin is where the value comes from.
	Origin string
}

// Settings returns every key in force, in the order of the reference.
func (c *Config) Settings() []Setting {
	var out []Setting
	for _, s := range c.explanation().Settings {
		out = append(out, Setting{s.Key, fmt.Sprint(s.Value), s.Origin})
	}
	return out
}
