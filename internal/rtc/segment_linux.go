package rtc

import (
	"encoding/binary"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// segmentable reports whether the kernel cuts messages into packets (UDP GSO,
// Linux 4.18).
func segmentable(conn *net.UDPConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	err = raw.Control(func(fd uintptr) {
		_, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT)
		ok = err == nil
	})
	return ok && err == nil
}

// segmentSize writes the control message that says how long the packets are
// into which the kernel cuts.
func segmentSize(b []byte, size int) []byte {
	space := unix.CmsgSpace(2)
	if cap(b) < space {
		b = make([]byte, space)
	}
	b = b[:space]
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(b[unix.CmsgLen(0):], uint16(size))
	return b
}
