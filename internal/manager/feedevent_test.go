package manager

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"testing"

	"github.com/muster-fleet/muster"
)

// Every event of the state has a type of its own for those who watch. A load goes with
// the batch, and what a drain forgets concerns the state alone.
func TestEveryEventHasAType(t *testing.T) {
	named := map[string]muster.Event{
		"WorkerJoined": muster.WorkerJoined{}, "WorkerLeft": muster.WorkerLeft{}, "WorkerStateChanged": muster.WorkerStateChanged{},
		"TaskReserved": muster.TaskReserved{}, "TaskPickedUp": muster.TaskPickedUp{}, "TaskClaimed": muster.TaskClaimed{},
		"TaskLaidDown": muster.TaskLaidDown{}, "TaskReleased": muster.TaskReleased{}, "PurposeForgotten": muster.PurposeForgotten{},
		"TaskRefused": muster.TaskRefused{}, "DrainOrdered": muster.DrainOrdered{}, "WorkerDrained": muster.WorkerDrained{},
		"WorkerCordoned": muster.WorkerCordoned{}, "DrainOverdue": muster.DrainOverdue{}, "DrainEmptied": muster.DrainEmptied{},
		"DrainEnded": muster.DrainEnded{}, "StrategyChanged": muster.StrategyChanged{}, "DebitChanged": muster.DebitChanged{},
		"Audited": muster.Audited{}, "WorkerLoadChanged": nil, "DrainTrimmed": nil,
	}
	source, err := parser.ParseFile(gotoken.NewFileSet(), "../../event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range source.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != "event" {
			continue
		}
		name := f.Recv.List[0].Type.(*ast.Ident).Name
		event, known := named[name]
		if !known || event != nil && feedEvent(event).Type == muster.FeedOther {
			t.Errorf("%s has no type for those who watch", name)
		}
	}
}
