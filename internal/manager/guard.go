package manager

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/muster-fleet/muster/bus"
)

// logEvery is the least time between two panics that are logged, and between two
// dropped requests. All are counted.
const logEvery = time.Minute

// guard runs f where the state is owned, as contain does.
//
// A panic inside of state.Apply is not ended. It would leave a change half
// made, and a manager that went on would answer from a state that is no longer
// that of the others. It comes back on each manager that applies the entry, so
// that none of them goes on differently.
func (c *core) guard(req *bus.Request, what string, f func()) {
	defer func() {
		if cause := recover(); cause != nil {
			if c.replica.State().Torn() {
				panic(cause)
			}
			c.panicked(req, what, cause)
		}
	}()
	f()
}

// contain runs f on any goroutine, and ends a panic in it: the request that
// caused it, nil where none did, is refused, and whatever else was to be done
// goes on. It is the second line; the first is that decode lets nothing through
// that could panic.
func (c *core) contain(req *bus.Request, what string, f func()) {
	defer func() {
		if cause := recover(); cause != nil {
			c.panicked(req, what, cause)
		}
	}()
	f()
}

// panicked counts and logs a panic, and refuses the request.
func (c *core) panicked(req *bus.Request, what string, cause any) {
	c.measures.panics.Inc()
	c.panicLog.Do(func() {
		c.log.Error("panic: the request that caused it is dropped", "in", what, "method", methodOf(req), "err", cause, "stack", string(debug.Stack()))
	})
	if req != nil {
		req.Fail(fmt.Sprintf("%s: internal error, which the manager has logged: do not repeat the request", methodOf(req)))
	}
}

func methodOf(req *bus.Request) string {
	if req == nil {
		return ""
	}
	return req.Method
}
