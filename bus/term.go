package bus

import "context"

// termKey is where a context has the function of OnTerm.
type termKey struct{}

// OnTerm returns a context whose calls tell f in which term the manager leads
// that answered, where it says so. A term that is another than before is another
// leader, which may not have heard what was cast to the one before it. f is
// called before the call returns, on its goroutine. On the wire it is a member of
// the answer, "term", which OWT's programs ignore.
func OnTerm(ctx context.Context, f func(term uint64)) context.Context {
	return context.WithValue(ctx, termKey{}, f)
}

// ReportTerm is for those who implement a Conn: it tells whom OnTerm named what
// the answer says.
func ReportTerm(ctx context.Context, term uint64) {
	if term == 0 {
		return
	}
	if f, ok := ctx.Value(termKey{}).(func(uint64)); ok {
		f(term)
	}
}
