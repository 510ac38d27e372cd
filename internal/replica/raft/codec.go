package raft

import (
	"errors"

	"github.com/muster-fleet/muster/internal/wire"
)

// errMalformed is what decoders wrap for bytes that no manager writes.
var errMalformed = errors.New("malformed")

// writer adds the parts of this package to those of package wire. The encoding
// of commands belongs to package state.
type writer struct{ wire.Writer }

func newWriter(buf []byte) writer { return writer{wire.Writer{Buf: buf}} }

// reader reads what a writer wrote.
type reader struct{ wire.Reader }

func newReader(data []byte) reader { return reader{wire.Reader{Buf: data}} }
