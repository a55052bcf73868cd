package main

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestDeploy_NamesProjectLimit(t *testing.T) {
	s := upWith(t, served, "--max-projects", "1")
	out, err := s.deploy("another")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	if !strings.Contains(out, "this server has reached its limit of projects: 1") || !strings.Contains(out, "anchor up --max-projects 2") {
		t.Errorf("it printed:\n%s", out)
	}
}
