package process

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
)

// BenchmarkNode is a node's whole life, of a program that does nothing, beside
// what the same program costs without a host.
func BenchmarkNode(b *testing.B) {
	b.Run("none", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.Command("/bin/true")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, bare := range []bool{false, true} {
		b.Run(fmt.Sprint("bare=", bare), func(b *testing.B) {
			h, err := Open(Options{Dir: b.TempDir(), Agent: "bench", NoCgroups: bare})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			l := h.Program(Command{Argv: []string{"/bin/true"}})
			for b.Loop() {
				n, err := l.Launch(b.Context(), Spec{ID: "n"})
				if err != nil {
					b.Fatal(err)
				}
				<-n.Done()
			}
		})
	}
}
