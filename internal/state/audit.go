package state

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/muster-fleet/muster"
)

// Record adds an entry to the audit for what an operator did outside of the
// state, such as to add a manager. The same within a minute counts once.
type Record struct {
	By                            muster.Operator
	Action, Target, Before, After string
}

// note is the operation Record.
func (s *State) note(op Record) error {
	if err := op.By.Check(); err != nil {
		return err
	}
	if op.Action == "" {
		return errors.New("an entry of the audit needs an action")
	}
	for _, e := range s.audit {
		if s.now-e.At < orderMemory && e.By == op.By && e.Action == op.Action && e.Target == cut(op.Target) && e.After == cut(op.After) {
			return nil // it is repeated until the change is complete
		}
	}
	s.record(op.By, op.Action, op.Target, op.Before, op.After)
	return nil
}

// record adds an entry to the audit. The oldest one goes.
func (s *State) record(by muster.Operator, action, target, before, after string) {
	s.do(muster.Audited{Entry: muster.AuditEntry{
		Number: s.audited + 1, At: s.now, By: by,
		Action: cut(action), Target: cut(target), Before: cut(before), After: cut(after),
	}})
}

// cut bounds a text.
func cut(text string) string {
	if len(text) <= muster.MaxAuditText {
		return text
	}
	const mark = "..."
	end := muster.MaxAuditText - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

func (s *State) foldAudited(e muster.Audited) {
	s.audited = max(s.audited, e.Entry.Number)
	if len(s.audit) >= muster.MaxAudit {
		s.audit = append(s.audit[:0:0], s.audit[len(s.audit)-muster.MaxAudit+1:]...)
	}
	s.audit = append(s.audit, e.Entry)
}

// Audit returns at most limit entries with numbers above after, the oldest
// first. The audit keeps the last muster.MaxAudit.
func (s *State) Audit(after uint64, limit int) []muster.AuditEntry {
	out := []muster.AuditEntry{}
	for _, e := range s.audit {
		if e.Number > after && len(out) < limit {
			out = append(out, e)
		}
	}
	return out
}

func (w writer) auditEntry(e *muster.AuditEntry) {
	w.Uint(e.Number)
	w.Int(int64(e.At))
	w.operator(e.By)
	for _, text := range []string{e.Action, e.Target, e.Before, e.After} {
		w.Text(text)
	}
}

func (r reader) auditEntry() muster.AuditEntry {
	return muster.AuditEntry{
		Number: r.Uint(), At: muster.Instant(r.Int()), By: r.operator(),
		Action: r.Text(), Target: r.Text(), Before: r.Text(), After: r.Text(),
	}
}

// Audited returns how many entries there ever were.
func (s *State) Audited() uint64 { return s.audited }

// LastAudit describes the newest entry in a line, for logs.
func (s *State) LastAudit() string {
	if len(s.audit) == 0 {
		return ""
	}
	e := s.audit[len(s.audit)-1]
	return fmt.Sprintf("%s %s: %s", e.Action, e.Target, e.After)
}
