//go:build !unix

package batch

import "errors"

// interrupt is not possible here.
func interrupt(int) error { return errors.New("cancel it with Ctrl-C where it runs") }
