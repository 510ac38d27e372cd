package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"unsafe"
)

// newCrewApart returns a crew whose processes have a network of their own, with
// nothing in it but what joinWire puts there. Needs root. The network ends with
// the last that lives in it.
func newCrewApart() (*Crew, error) {
	c := NewCrew()
	var err error
	c.launcher.Do(func() { err = syscall.Unshare(syscall.CLONE_NEWNET) })
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return c, nil
}

// joinWire gives the network of the crew a device with an address, and returns
// its other end: packets that leave the network are read, and come when they
// are written.
func (c *Crew) joinWire(addr string) (end *os.File, err error) {
	c.launcher.Do(func() {
		var name string
		if end, name, err = openTUN(); err == nil {
			err = configure(name, addr)
		}
	})
	if err != nil && end != nil {
		_ = end.Close()
	}
	return end, err
}

// openTUN makes a device in the network of the thread that calls it. The device
// is gone when the file is closed.
func openTUN() (end *os.File, name string, err error) {
	const path = "/dev/net/tun"
	fd, err := syscall.Open(path, tunFlags, 0)
	if errors.Is(err, syscall.ENOENT) {
		fd, err = openOwnTUN()
	}
	if err != nil {
		return nil, "", fmt.Errorf("open %s: %w", path, err)
	}
	var request struct { // struct ifreq of linux/if.h
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], "wire%d") // the kernel finds the number
	request.flags = syscall.IFF_TUN | syscall.IFF_NO_PI
	if _, _, code := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF, uintptr(unsafe.Pointer(&request))); code != 0 {
		_ = syscall.Close(fd)
		return nil, "", fmt.Errorf("make a device by %s: %w", path, code)
	}
	for i := 0; request.name[i] != 0; i++ {
		name += string(request.name[i])
	}
	return os.NewFile(uintptr(fd), path), name, nil
}

const tunFlags = syscall.O_RDWR | syscall.O_CLOEXEC | syscall.O_NONBLOCK

// openOwnTUN is for a bare container, whose /dev lacks the file: the device is
// character device 10, 200 (devices.txt of Linux).
func openOwnTUN() (fd int, err error) {
	dir, err := os.MkdirTemp("", "tun-")
	if err != nil {
		return -1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "tun")
	if err := syscall.Mknod(path, syscall.S_IFCHR|0o600, 10<<8|200); err != nil {
		return -1, fmt.Errorf("make a device file: %w", err)
	}
	return syscall.Open(path, tunFlags, 0)
}

// configure runs ip in the network of the thread that calls it.
func configure(name, addr string) error {
	program, err := exec.LookPath("ip")
	if err != nil {
		program = "/usr/sbin/ip" // not in the path of every root
	}
	for _, args := range [][]string{
		{"addr", "add", addr, "dev", name},
		{"link", "set", "dev", name, "up"},
		{"link", "set", "dev", "lo", "up"},
	} {
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s (is iproute2 installed?)", args, err, out)
		}
	}
	return nil
}
