//go:build unix && !linux

package rabbittest

// awaitHalt cannot look elsewhere.
func awaitHalt(int) error { return nil }
