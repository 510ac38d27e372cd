package manager

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// The roles whose users may call a method, where the queue says who sends a request.
// A manager may call all of them; it speaks for the users of its HTTP server, too.
var (
	readers   = []bus.Role{bus.RoleViewer, bus.RoleCaller, bus.RoleWorker, bus.RoleOperator, bus.RoleAdmin}
	overseers = []bus.Role{bus.RoleViewer, bus.RoleOperator, bus.RoleAdmin}
	placers   = []bus.Role{bus.RoleCaller, bus.RoleWorker, bus.RoleOperator, bus.RoleAdmin}
	workers   = []bus.Role{bus.RoleWorker}
	enders    = []bus.Role{bus.RoleWorker, bus.RoleOperator, bus.RoleAdmin}
	operators = []bus.Role{bus.RoleOperator, bus.RoleAdmin}
	admins    = []bus.Role{bus.RoleAdmin}
)

// right is who may call a method. own is the argument that must be the sender's own
// name, if that is a worker; by is where the operator is named. -1 is none.
type right struct {
	roles   []bus.Role
	own, by int
}

func of(roles []bus.Role) right             { return right{roles, -1, -1} }
func ownOf(roles []bus.Role, i int) right   { return right{roles, i, -1} }
func orderOf(roles []bus.Role, i int) right { return right{roles, -1, i} }

// rights have an entry for each of methods.
var rights = map[string]right{
	"join":            ownOf(workers, 1),
	"quit":            ownOf(enders, 0),
	"keepAlive":       ownOf(workers, 0),
	"reportState":     ownOf(workers, 0),
	"reportLoad":      ownOf(workers, 0),
	"pickUpTasks":     ownOf(workers, 0),
	"layDownTask":     ownOf(workers, 0),
	"claimTask":       ownOf(workers, 0),
	"checkWorker":     ownOf(workers, 0),
	"schedule":        of(placers),
	"scheduleMany":    of(placers),
	"unschedule":      of(placers),
	"registerInfo":    of(placers),
	"leaveConference": of(placers),
	"getWorkerAttr":   of(readers),
	"getWorkers":      of(readers),
	"getTasks":        of(readers),
	"getScheduled":    of(readers),
	"getClusterID":    of(readers),
	"why":             of(readers),
	"listWorkers":     of(readers),
	"listTasks":       of(readers),
	"status":          of(readers),
	"listDrains":      of(overseers),
	"getDrain":        of(overseers),
	"audit":           of(overseers),
	"drain":           orderOf(operators, 0),
	"undrain":         orderOf(operators, 0),
	"cordon":          orderOf(operators, 0),
	"uncordon":        orderOf(operators, 0),
	"setStrategy":     orderOf(operators, 0),
	"setDebit":        orderOf(operators, 0),
	"record":          orderOf(operators, 0),
	"addManager":      orderOf(admins, 1),
	"removeManager":   orderOf(admins, 1),
}

// permit returns why the sender of a request may not make it. A queue that does not
// say who sends lets everybody do everything.
func permit(req *bus.Request) error {
	from := req.Sender
	if from == (bus.Identity{}) || from.Role == bus.RoleManager {
		return nil
	}
	r, known := rights[req.Method]
	switch {
	case !known:
		return nil // refused as unknown
	case !slices.Contains(r.roles, from.Role):
		return fmt.Errorf("%s: %s has the role %s, which may not do that", req.Method, from.Name, from.Role)
	case r.own >= 0 && from.Role == bus.RoleWorker && textAt(req, r.own) != from.Name:
		return fmt.Errorf("%s: %s speaks for itself alone, not for %.80q", req.Method, from.Name, textAt(req, r.own))
	case r.by >= 0 && !orderedBy(req, r.by, from.Name):
		return fmt.Errorf("%s: the member by.name must be %q", req.Method, from.Name)
	}
	return nil
}

// orderedBy reports whether an order names that operator, however its members are
// read: by the first of a name as gjson does, or by the last in any case as
// encoding/json does.
func orderedBy(req *bus.Request, i int, name string) bool {
	if i >= len(req.Args) {
		return false
	}
	var order struct {
		By muster.Operator `json:"by"`
	}
	_ = json.Unmarshal(req.Args[i], &order) // one that cannot be read is refused as such
	return order.By.Name == name && gjson.GetBytes(req.Args[i], "by.name").Str == name
}

func textAt(req *bus.Request, i int) string {
	if i >= len(req.Args) {
		return ""
	}
	return text(req.Args[i])
}
