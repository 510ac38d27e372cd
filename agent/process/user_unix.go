//go:build unix

package process

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user as which a node runs.
type account struct {
	credential syscall.Credential
	name, home string
}

// accountOf finds the user of a name; nil is this process's own.
func accountOf(name string) (*account, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("process: Command.User: %w", err)
	}
	if os.Geteuid() != 0 && u.Uid != strconv.Itoa(os.Geteuid()) {
		return nil, fmt.Errorf("process: Command.User is %s: only root can start nodes as another user", name)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("process: Command.User: %w", err)
	}
	a := &account{name: u.Username, home: u.HomeDir}
	a.credential.Uid, err = number(u.Uid)
	var wrong error
	a.credential.Gid, wrong = number(u.Gid)
	err = errors.Join(err, wrong)
	for _, text := range groups {
		group, wrong := number(text)
		a.credential.Groups, err = append(a.credential.Groups, group), errors.Join(err, wrong)
	}
	return a, err
}

func number(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err
}

// env are the variables that say who a program runs as.
func (a *account) env() []string {
	if a == nil {
		return nil
	}
	return []string{"USER=" + a.name, "LOGNAME=" + a.name, "HOME=" + a.home}
}

// become makes a program start as the user.
func (a *account) become(attr *syscall.SysProcAttr) {
	if a != nil && os.Geteuid() == 0 {
		attr.Credential = &a.credential
	}
}

// own gives a file to the user.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}
