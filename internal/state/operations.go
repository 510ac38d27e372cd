package state

import (
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/wire"
)

// Op is what a Command does. The operations of command.go implement it.
//
// A new operation is a type with these methods and a number below, whose
// decoder is in the table decoders. Without the methods it does not compile,
// without the decoder the package panics as it starts.
type Op interface {
	// apply changes a state.
	apply(s *State, seed uint64) Result
	// number says which layout encode writes.
	number() byte
	encode(w writer)
}

// The layouts of the operations in the log. A number is never used again for
// something else: logs with it exist.
const (
	opJoin = iota + 1
	opQuit
	opWorkerLost
	opReportState
	opReportLoad
	opPickUpTasks
	opLayDownTask
	opSchedule
	opUnschedule
	opExpire
	opConfigure
	opClaimTask
	// The layouts with placement numbers. Operations without any keep the older
	// layout, which older managers can read.
	opPickUpPlaced
	opLayDownPlaced
	opUnschedulePlaced
	opForgetPurposes
	opScheduleMany
	opDrain
	opUndrain
	opStepDrains
	opCordon
	opSetStrategy
	opSetDebit
	opRecord

	opEnd // the first number that is free
)

// MaxCommand is the highest number that EncodeCommand returns in this version.
// A log with a higher one needs a newer version.
const MaxCommand = opEnd - 1

// decoders read the layouts. They are a table of their own, and not methods,
// because the type of an operation is known only after its number was read.
var decoders = [opEnd]func(reader) Op{
	opJoin:             decodeJoin,
	opQuit:             decodeQuit,
	opWorkerLost:       decodeWorkerLost,
	opReportState:      decodeReportState,
	opReportLoad:       decodeReportLoad,
	opPickUpTasks:      decodePickUpTasks,
	opPickUpPlaced:     decodePickUpPlaced,
	opLayDownTask:      decodeLayDownTask,
	opLayDownPlaced:    decodeLayDownPlaced,
	opSchedule:         decodeSchedule,
	opUnschedule:       decodeUnschedule,
	opUnschedulePlaced: decodeUnschedulePlaced,
	opExpire:           decodeExpire,
	opConfigure:        decodeConfigure,
	opClaimTask:        decodeClaimTask,
	opForgetPurposes:   decodeForgetPurposes,
	opScheduleMany:     decodeScheduleMany,
	opDrain:            decodeDrain,
	opUndrain:          decodeUndrain,
	opStepDrains:       decodeStepDrains,
	opCordon:           decodeCordon,
	opSetStrategy:      decodeSetStrategy,
	opSetDebit:         decodeSetDebit,
	opRecord:           decodeRecord,
}

func init() {
	for number, decode := range decoders {
		if number > 0 && decode == nil {
			panic(fmt.Sprintf("state: operation %d has no decoder: add it to the table decoders", number))
		}
	}
}

// EncodeCommand writes a command and returns the number of its layout, at most
// MaxCommand. A command without an operation is an error.
func EncodeCommand(w *wire.Writer, c *Command) (number byte, err error) {
	if c.Op == nil {
		return 0, errNoOp
	}
	w.Int(int64(c.At))
	w.Fixed(c.Seed)
	number = c.Op.number()
	w.Byte(number)
	c.Op.encode(writer{w})
	return number, nil
}

// DecodeCommand reads what EncodeCommand wrote. If r is then Bad, the command
// must not be used.
func DecodeCommand(r *wire.Reader) Command {
	c := Command{At: muster.Instant(r.Int()), Seed: r.Fixed()}
	number := r.Byte()
	if number == 0 || number > MaxCommand {
		r.Fail()
		return c
	}
	c.Op = decoders[number](reader{Reader: r})
	return c
}

func (op Join) apply(s *State, _ uint64) Result { return s.join(op) }
func (op Quit) apply(s *State, _ uint64) Result {
	return Result{Err: s.remove(op.Worker, muster.LeftQuit)}
}
func (op WorkerLost) apply(s *State, _ uint64) Result {
	return Result{Err: s.remove(op.Worker, muster.LeftLost)}
}
func (op ReportState) apply(s *State, _ uint64) Result { return Result{Err: s.reportState(op)} }
func (op ReportLoad) apply(s *State, _ uint64) Result  { return Result{Err: s.reportLoad(op)} }
func (op PickUpTasks) apply(s *State, _ uint64) Result { return Result{Err: s.pickUp(op)} }
func (op ClaimTask) apply(s *State, _ uint64) Result   { return s.claim(op) }
func (op LayDownTask) apply(s *State, _ uint64) Result { return Result{Err: s.layDown(op)} }
func (op Schedule) apply(s *State, seed uint64) Result { return s.schedule(op, seed) }
func (op Unschedule) apply(s *State, _ uint64) Result  { return Result{Err: s.unschedule(op)} }
func (op Configure) apply(s *State, _ uint64) Result   { return Result{Err: s.reconfigure(op.Config)} }
func (op Drain) apply(s *State, _ uint64) Result       { return s.beginDrain(op) }
func (op Undrain) apply(s *State, _ uint64) Result     { return s.undrain(op) }
func (op Cordon) apply(s *State, _ uint64) Result      { return s.cordon(op) }
func (op SetStrategy) apply(s *State, _ uint64) Result { return Result{Err: s.setStrategy(op)} }
func (op SetDebit) apply(s *State, _ uint64) Result    { return Result{Err: s.setDebit(op)} }
func (op Record) apply(s *State, _ uint64) Result      { return Result{Err: s.note(op)} }

func (StepDrains) apply(s *State, _ uint64) Result {
	s.stepDrains()
	return Result{}
}

func (Expire) apply(s *State, _ uint64) Result {
	s.expire()
	return Result{}
}

func (ForgetPurposes) apply(s *State, _ uint64) Result {
	s.forgetPurposes()
	return Result{}
}
