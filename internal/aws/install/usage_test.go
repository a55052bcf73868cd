package install

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// TestAddStarted_CountsEachFunction: each function counts with its own memory, and a project with a warmer once.
func TestAddStarted_CountsEachFunction(t *testing.T) {
	settings, err := anchor.ParseSettings([]byte(`{"provisionedConcurrency": 2, "warmer": 3, "memory": 2048,
		"functions": {"api": {"warmer": 1, "memory": 512}, "default": {"memory": 1024}}}`))
	if err != nil {
		t.Fatal(err)
	}
	u := installation.Usage{Projects: 2}
	addStarted(&u, settings)
	addStarted(&u, anchor.Settings{})
	want := installation.Usage{Projects: 2, ProvisionedGB: 2, Warmers: 1, Warmed: 4, WarmedGB: 3.5}
	if u != want {
		t.Errorf("they are %+v, want %+v", u, want)
	}
	if got := installation.StartedUSD(u); got < 17.28 || got > 17.40 {
		t.Errorf("they cost %f", got)
	}
}
