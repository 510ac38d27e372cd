package config

import "testing"

// Each variable that the reference names is read.
func TestVariablesAreRead(t *testing.T) {
	for _, k := range keys {
		if k.env != "" && !ours(k.env) {
			t.Errorf("%s of %s is not read", k.env, k.name)
		}
	}
}
