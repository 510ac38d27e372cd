package manager

import (
	"os"
	"strings"
	"testing"
)

// TestWirePage: docs/wire.md names every method.
func TestWirePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range methods {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/wire.md lacks the method %s", name)
		}
	}
}
