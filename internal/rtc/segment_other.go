//go:build !linux

package rtc

import "net"

// segmentable reports whether the kernel cuts messages into packets.
func segmentable(*net.UDPConn) bool { return false }

func segmentSize(b []byte, _ int) []byte { return b }
