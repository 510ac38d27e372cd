package bus

import "context"

// termKey is the context key of OnTerm's function.
type termKey struct{}

// OnTerm returns a context whose calls report to f the term of the manager that
// answered, if the answer contains it. A different term means a different leader,
// which may not have received what was cast to its predecessor. f is
// called before the call returns, on its goroutine. On the wire it is a member of
// the answer, "term", which OWT's programs ignore.
func OnTerm(ctx context.Context, f func(term uint64)) context.Context {
	return context.WithValue(ctx, termKey{}, f)
}

// ReportTerm is for implementations of Conn: it passes the term in an answer to the
// function of OnTerm.
func ReportTerm(ctx context.Context, term uint64) {
	if term == 0 {
		return
	}
	if f, ok := ctx.Value(termKey{}).(func(uint64)); ok {
		f(term)
	}
}
