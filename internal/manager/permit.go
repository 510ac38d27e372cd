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

// permit returns why the sender of a request may not make it. On a queue that does
// not say who sends, every request is permitted.
func permit(req *bus.Request) error {
	from := req.Sender
	if from == (bus.Identity{}) || from.Role == bus.RoleManager {
		return nil
	}
	m, known := methods[req.Method]
	switch {
	case !known:
		return nil // refused as unknown
	case !slices.Contains(m.roles, from.Role):
		return fmt.Errorf("%s: %s has the role %s, which may not do that", req.Method, from.Name, from.Role)
	case m.ownArg >= 0 && from.Role == bus.RoleWorker && textAt(req, m.ownArg) != from.Name:
		return fmt.Errorf("%s: %s speaks for itself alone, not for %.80q", req.Method, from.Name, textAt(req, m.ownArg))
	case m.orderArg >= 0 && !orderedBy(req, m.orderArg, from.Name):
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
