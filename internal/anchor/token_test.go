package anchor_test

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestScope_AllowsWhatSmallerOnesDo(t *testing.T) {
	order := []anchor.Scope{anchor.ScopeRead, anchor.ScopeDeploy, anchor.ScopeAdmin}
	for has, scope := range order {
		for needs, needed := range order {
			if got := scope.Allows(needed); got != (has >= needs) {
				t.Errorf("%s allows %s: %v", scope, needed, got)
			}
		}
	}
	if anchor.ScopeAdmin.Allows("destroy") || anchor.ScopeAdmin.Allows("") {
		t.Error("an admin may do what no scope names")
	}
	if anchor.Scope("").Allows(anchor.ScopeRead) || anchor.Scope("").Allows("") {
		t.Error("a token without a scope may do something")
	}
}
