package manager

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// The page says what the code says: each bound, in the words of the answer.
func TestLimitsPage(t *testing.T) {
	manual, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	text := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	labels := func(n int) string {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf(`"k%d":"v"`, i))
		}
		return `{"labels":{` + strings.Join(members, ",") + `}}`
	}
	join := func(info string) string { return `["video","w",` + info + `]` }
	for _, row := range []struct {
		bound        int // 0: the page names none
		method, args string
	}{
		{muster.MaxBody, "schedule", `["video","t",null,1000,` + text(muster.MaxBody+13) + `]`},
		{muster.MaxName, "quit", `[` + text(muster.MaxName+1) + `]`},
		{muster.MaxTask, "layDownTask", `["w",` + text(muster.MaxTask+1) + `]`},
		{0, "quit", "[\"\xff\"]"},
		{0, "quit", `["a\n"]`},
		{muster.MaxTasks, "pickUpTasks", `["w",["t"` + strings.Repeat(`,"t"`, muster.MaxTasks) + `]]`},
		{muster.MaxInfo, "join", join(`{"own":` + text(muster.MaxInfo) + `}`)},
		{muster.MaxName, "join", join(`{"capacity":{"isps":[` + text(muster.MaxName+1) + `]}}`)},
		{muster.MaxLabels, "join", join(labels(muster.MaxLabels + 1))},
		{muster.MaxName, "join", join(`{"labels":{` + text(muster.MaxName+1) + `:"v"}}`)},
		{muster.MaxLabelValue, "join", join(`{"labels":{"a":` + text(muster.MaxLabelValue+1) + `}}`)},
		{muster.MaxPreference, "schedule", `["video","t",` + text(muster.MaxPreference) + `]`},
		{muster.MaxScheduleMany, "scheduleMany", `[[{}` + strings.Repeat(`,{}`, muster.MaxScheduleMany) + `]]`},
		{muster.MaxLabels, "schedule", `["video","t",` + labels(muster.MaxLabels+1) + `]`},
		{pageMost, "listTasks", `["all",{"limit":1001}]`},
	} {
		_, err := decode(row.method, mustSplit(t, row.args))
		if err == nil {
			t.Errorf("%s%.60s is taken", row.method, row.args)
			continue
		}
		onPage(t, string(manual), row.bound, err)
	}
	onPage(t, string(manual), muster.MaxSpec, muster.TaskOrder{Task: "t", Spec: []byte(text(muster.MaxSpec))}.Check())
	onPage(t, string(manual), muster.MaxDeadline, orderError(t, `{"selector":{"worker":"w"},"deadline_ms":2592000001}`))
	onPage(t, string(manual), muster.MaxName, orderError(t, `{"selector":{"worker":"w"},"by":{"name":`+text(muster.MaxName+1)+`}}`))
	s := state.New(state.DefaultConfig())
	var full error
	for i := range muster.MaxPurposes + 1 {
		result, _ := s.Apply(state.Command{Op: state.Join{Purpose: fmt.Sprint(i), Worker: fmt.Sprint(i), Info: muster.Info{MaxLoad: 1}}})
		full = result.Err
	}
	onPage(t, string(manual), muster.MaxPurposes, full)
}

// onPage holds that a row of the page has the bound and the answer.
func onPage(t *testing.T, page string, bound int, answer error) {
	t.Helper()
	for line := range strings.Lines(page) {
		if answer != nil && strings.Contains(line, "`"+answer.Error()+"`") {
			if bound > 0 && !strings.Contains(strings.ReplaceAll(line, ",", ""), fmt.Sprintf("| %d ", bound)) {
				t.Errorf("docs/limits.md has another bound than %d: %s", bound, line)
			}
			return
		}
	}
	t.Errorf("docs/limits.md lacks the answer `%v`", answer)
}

// orderError is why a drain is refused at decoding.
func orderError(t *testing.T, order string) error {
	t.Helper()
	_, err := decode("drain", mustSplit(t, "["+order+"]"))
	return err
}
