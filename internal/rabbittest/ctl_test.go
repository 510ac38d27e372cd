package rabbittest

import "testing"

func TestCtl(t *testing.T) {
	b := Start(t)
	if err := b.Ctl(t.Context(), "set_vm_memory_high_watermark", "0.4"); err != nil {
		t.Error(err)
	}
	if err := b.Ctl(t.Context(), "no_such_command"); err == nil {
		t.Error("a command that does not exist was run")
	}
}
