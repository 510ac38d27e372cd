package worker

// ledIn takes in the term of the manager that answered. A new term means a new
// leader, and the one before may have held recent reports of this worker without
// passing them on. So they are repeated at once, and not only when tasks are
// compared: a short reservation would have expired by then.
func (m *machine) ledIn(term uint64) {
	if term == 0 || term == m.term {
		return
	}
	m.term = term
	if m.phase == joined && !m.resync { // else everything is reported soon
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
