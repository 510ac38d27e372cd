// Package config reads the configuration file of a manager: OWT's
// cluster_manager.toml, unchanged, and Muster's own keys.
//
// A value comes from the first of these that has it: a flag, an environment
// variable, the file, the default. Config records which, so that Explain can show
// operators not only the value in force but also where it came from.
//
// All problems of a file are reported at once, each with file, line, column and
// key, and with the nearest valid word if there is one.
//
// The table in keys.go is the only list of keys: the reader, Explain, Diff,
// Reference and docs/configuration.md are all derived from it.
package config
