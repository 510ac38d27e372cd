package worker

// ledIn is the term in which the manager leads that answered. In another one
// than before it is another manager, and the one before may have stood still
// for a while with words of this worker that nobody else has heard. So what was
// told lately is told again at once, instead of when tasks are compared: by
// then a short reservation would be over.
func (m *machine) ledIn(term uint64) {
	if term == 0 || term == m.term {
		return
	}
	m.term = term
	if m.phase == joined && !m.resync { // else all is told soon
		m.markUnacked()
		m.resendRecent()
	}
}

// markUnacked assumes that recent reports may be lost.
func (m *machine) markUnacked() {
	m.unackedReports.markUnacked(m.beat)
	m.pickups.markUnacked(m.beat)
}

// resendRecent repeats everything that two later answered keep-alives have not
// confirmed yet.
func (m *machine) resendRecent() {
	m.emit(m.unackedReports.again(m.id)...)
	if m.state != nil && m.beat <= m.stateBeat+certain {
		m.tell("reportState", int(*m.state))
	}
	m.tellTasks(m.pickups.tasks())
}
