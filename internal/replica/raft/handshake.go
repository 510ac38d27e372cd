package raft

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Two managers that connect authenticate each other before anything else is read.
// Both know the secret, or have certificates of the same authority:
//
//	dialer              acceptor
//	intro ────────────▶            magic, kind, cluster, from, to, nonce
//	      ◀──────────── challenge  nonce
//	proof ────────────▶            HMAC(secret, "dialer", intro, challenge)
//	      ◀──────────── welcome    HMAC(secret, "acceptor", intro, challenge, id), id
//
// A proof is valid for one cluster, one pair of addresses, one direction and one
// connection. The frames that follow are encrypted with keys derived from the
// secret and both nonces. Inside TLS without a secret the proofs are empty: TLS
// has checked the certificates.
const (
	introPrefix   = "muster-raft "
	introMagic    = introPrefix + "2\n"
	handshakeTime = 3 * time.Second
	maxBlock      = 4096
	nonceSize     = 32
)

// The kinds of connection.
const (
	kindMessages = 1
	kindSnapshot = 2
)

var errUnauthenticated = errors.New("it is not a manager of this cluster, or has another secret")

// errOtherVersion means that the other manager speaks another version of the
// protocol.
var errOtherVersion = errors.New("it is a manager of another version of Muster, which cannot work with this one: run the same version on all")

// handshake authenticates managers.
type handshake struct {
	cluster string
	addr    string // its own
	secret  []byte // nil if TLS authenticates
}

// session is an authenticated connection.
type session struct {
	conn    net.Conn
	r       *bufio.Reader
	in, out seal
	kind    byte
	peer    string // address of the other end
	id      uint64 // incarnation of the acceptor's log
}

// intro introduces the dialer.
type intro struct {
	kind              byte
	cluster, from, to string
	nonce             []byte
}

func (i *intro) encode() []byte {
	w := newWriter([]byte(introMagic))
	w.Byte(i.kind)
	w.Text(i.cluster)
	w.Text(i.from)
	w.Text(i.to)
	w.Raw(i.nonce)
	return w.Buf
}

func decodeIntro(data []byte) (intro, error) {
	if len(data) < len(introMagic) || string(data[:len(introPrefix)]) != introPrefix {
		return intro{}, fmt.Errorf("introduction: %w", errMalformed)
	}
	if string(data[:len(introMagic)]) != introMagic {
		return intro{}, errOtherVersion
	}
	r := newReader(data[len(introMagic):])
	i := intro{kind: r.Byte(), cluster: r.Text(), from: r.Text(), to: r.Text(), nonce: r.Raw()}
	if !r.Whole() || len(i.nonce) != nonceSize || len(i.from) > maxText {
		return intro{}, fmt.Errorf("introduction: %w", errMalformed)
	}
	return i, nil
}

// dial authenticates the manager at the other end of a connection that this one
// opened.
func (h *handshake) dial(conn net.Conn, to string, kind byte) (*session, error) {
	if err := conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return nil, err
	}
	s := &session{conn: conn, r: bufio.NewReaderSize(conn, 64<<10), kind: kind, peer: to}
	hello := (&intro{kind: kind, cluster: h.cluster, from: h.addr, to: to, nonce: newNonce()}).encode()
	if err := writeBlock(conn, hello); err != nil {
		return nil, err
	}
	challenge, err := readBlock(s.r)
	if err != nil {
		return nil, err
	}
	if err := writeBlock(conn, h.proof("dialer", hello, challenge)); err != nil {
		return nil, err
	}
	welcome, err := readBlock(s.r)
	if err != nil {
		return nil, fmt.Errorf("refused: %w: %w", errUnauthenticated, err)
	}
	if len(welcome) < 8 || !hmac.Equal(welcome[8:], h.proof("acceptor", hello, challenge, welcome[:8])) {
		return nil, errUnauthenticated
	}
	s.id = binary.BigEndian.Uint64(welcome)
	return s, h.seal(s, hello, challenge, "dialer", "acceptor")
}

// accept authenticates the manager that opened a connection. id is the
// incarnation of this one's log.
func (h *handshake) accept(conn net.Conn, id uint64) (*session, error) {
	if err := conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return nil, err
	}
	s := &session{conn: conn, r: bufio.NewReaderSize(conn, 64<<10), id: id}
	hello, err := readBlock(s.r)
	if err != nil {
		return nil, err
	}
	i, err := decodeIntro(hello)
	if err != nil {
		return nil, err
	}
	challenge := newNonce()
	if err := writeBlock(conn, challenge); err != nil {
		return nil, err
	}
	proof, err := readBlock(s.r)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(proof, h.proof("dialer", hello, challenge)) || i.cluster != h.cluster {
		return nil, errUnauthenticated
	}
	if i.to != h.addr {
		return nil, fmt.Errorf("the manager at %s takes this one, at %s, for %s: check the addresses of the peers", i.from, h.addr, i.to)
	}
	welcome := binary.BigEndian.AppendUint64(nil, id)
	if err := writeBlock(conn, append(welcome, h.proof("acceptor", hello, challenge, welcome)...)); err != nil {
		return nil, err
	}
	s.kind, s.peer = i.kind, i.from
	return s, h.seal(s, hello, challenge, "acceptor", "dialer")
}

// proof is a MAC over the parts with the secret. Each part has its length before
// it, so that different lists of parts have different bytes.
func (h *handshake) proof(role string, parts ...[]byte) []byte {
	if h.secret == nil {
		return nil
	}
	var w writer
	w.Text(role)
	for _, part := range parts {
		w.Raw(part)
	}
	mac := hmac.New(sha256.New, h.secret)
	mac.Write(w.Buf)
	return mac.Sum(nil)
}

// seal derives the keys of both directions, and removes the deadline.
func (h *handshake) seal(s *session, hello, challenge []byte, own, other string) error {
	if h.secret != nil {
		var err error
		if s.out.aead, err = h.key(hello, challenge, own); err != nil {
			return err
		}
		if s.in.aead, err = h.key(hello, challenge, other); err != nil {
			return err
		}
	}
	return s.conn.SetDeadline(time.Time{})
}

func (h *handshake) key(hello, challenge []byte, role string) (cipher.AEAD, error) {
	salt := sha256.Sum256(append(append([]byte{}, hello...), challenge...))
	key, err := hkdf.Key(sha256.New, h.secret, salt[:], "muster-raft frames of the "+role, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func newNonce() []byte {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce) // never fails
	return nonce
}

// writeBlock writes a part of the handshake.
func writeBlock(w io.Writer, block []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(block))), block...))
	return err
}

func readBlock(r io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(head[:])
	if n > maxBlock {
		return nil, fmt.Errorf("handshake: %w: a part of %d bytes", errMalformed, n)
	}
	block := make([]byte, n)
	_, err := io.ReadFull(r, block)
	return block, err
}
