// Package config is the configuration file of a manager: OWT's
// cluster_manager.toml as it is, and Muster's own keys beside it.
//
// A value comes from the first of these that has it: a flag, an environment
// variable, the file, the default. Config remembers which, so that Explain can
// tell an operator not only what is in force but why.
//
// Every problem of a file is reported at once, each with file, line, column
// and key, and with the nearest right word where there is one.
//
// The table in keys.go is the only list of keys: the reader, Explain, Diff,
// Reference and docs/configuration.md all go by it.
package config
