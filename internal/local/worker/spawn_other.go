//go:build !linux

package worker

import "os/exec"

// Niceness is what processes have more than Anchor (nice(1)); see spawn_linux.go.
const Niceness = 0

// start runs cmd. Without a parent-death signal it ends with Anchor because its stdin closes.
func start(cmd *exec.Cmd) error { return cmd.Start() }
