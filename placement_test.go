package muster_test

import (
	"testing"

	"github.com/muster-fleet/muster"
)

// TestEveryRuleHasAName: a rule without one would vanish from explanations,
// and one with another's would be counted as that.
func TestEveryRuleHasAName(t *testing.T) {
	rules := map[string]muster.Rule{}
	for rule := range muster.NumRules {
		name := rule.String()
		if other, taken := rules[name]; taken || name == "" {
			t.Errorf("rule %d has the name %q, as rule %d has: see ruleNames", rule, name, other)
		}
		rules[name] = rule
	}
}
