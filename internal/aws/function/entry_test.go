package function_test

import (
	"os/exec"
	"testing"
)

func TestEntry(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "node", "--test", "entry/").CombinedOutput(); err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}
