package manager

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

// Every method says who may call it.
func TestEveryMethodHasRights(t *testing.T) {
	for name, m := range methods {
		if len(m.roles) == 0 {
			t.Errorf("%s does not say which roles may call it: none can", name)
		}
	}
}

// What each role may ask a manager for, by a method that stands for the others.
func TestPermit(t *testing.T) {
	all := map[string]string{
		"join": `["video","w1",{}]`, "quit": `["w1"]`, "keepAlive": `["w1"]`, "pickUpTasks": `["w1",["t"]]`, "claimTask": `["w1",{}]`,
		"schedule": `["video","t",null,1000]`, "unschedule": `["w1","t"]`, "listWorkers": `["video"]`, "audit": `[]`,
		"drain": `[{"by":{"name":"w1"}}]`, "removeManager": `["a:1",{"by":{"name":"w1"}}]`, "nosuch": `[]`,
	}
	for role, may := range map[bus.Role]string{
		"":               "join quit keepAlive pickUpTasks claimTask schedule unschedule listWorkers audit drain removeManager nosuch",
		bus.RoleManager:  "join quit keepAlive pickUpTasks claimTask schedule unschedule listWorkers audit drain removeManager nosuch",
		bus.RoleWorker:   "join quit keepAlive pickUpTasks claimTask schedule unschedule listWorkers nosuch",
		bus.RoleCaller:   "schedule unschedule listWorkers nosuch",
		bus.RoleViewer:   "listWorkers audit nosuch",
		bus.RoleOperator: "quit schedule unschedule listWorkers audit drain nosuch",
		bus.RoleAdmin:    "quit schedule unschedule listWorkers audit drain removeManager nosuch",
		"king":           "nosuch",
	} {
		for method, args := range all {
			req := &bus.Request{Method: method}
			if err := json.Unmarshal([]byte(args), &req.Args); err != nil {
				t.Fatal(err)
			}
			if role != "" {
				req.Sender = bus.Identity{Role: role, Name: "w1"}
			}
			allowed := strings.Contains(" "+may+" ", " "+method+" ")
			if err := permit(req); (err == nil) != allowed {
				t.Errorf("%s as %q: %v", method, role, err)
			}
		}
	}
}

// A worker speaks for itself alone, and nobody gives orders in another's name.
func TestPermitOwnName(t *testing.T) {
	for _, it := range []struct {
		role         bus.Role
		method, args string
		allowed      bool
	}{
		{bus.RoleWorker, "join", `["w1","w2",{}]`, false},
		{bus.RoleWorker, "quit", `["w2"]`, false},
		{bus.RoleWorker, "quit", `["\u00771"]`, true}, // w1, written otherwise
		{bus.RoleWorker, "keepAlive", `[]`, false},
		{bus.RoleWorker, "keepAlive", `[["w1"]]`, false},
		{bus.RoleWorker, "layDownTask", `["w2","t"]`, false},
		{bus.RoleOperator, "quit", `["w2"]`, true},
		{bus.RoleOperator, "drain", `[{"by":{"name":"w1"}}]`, true},
		{bus.RoleOperator, "drain", `[{}]`, false},
		{bus.RoleOperator, "drain", `[{"by":{"name":"boss"}}]`, false},
		{bus.RoleOperator, "drain", `[{"by":{"name":"w1"},"By":{"name":"boss"}}]`, false},
		{bus.RoleOperator, "drain", `[{"by":{"name":"w1"},"by":{"name":"boss"}}]`, false},
		{bus.RoleAdmin, "addManager", `["a:1",{"by":{"name":"boss"}}]`, false},
	} {
		req := &bus.Request{Method: it.method, Sender: bus.Identity{Role: it.role, Name: "w1"}}
		if err := json.Unmarshal([]byte(it.args), &req.Args); err != nil {
			t.Fatal(err)
		}
		if err := permit(req); (err == nil) != it.allowed {
			t.Errorf("%s %s as %s: %v", it.method, it.args, it.role, err)
		}
	}
}
