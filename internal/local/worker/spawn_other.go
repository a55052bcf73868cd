//go:build !linux

package worker

import "os/exec"

// start runs cmd. Without a parent-death signal it ends with Anchor because its stdin closes.
func start(cmd *exec.Cmd) error { return cmd.Start() }
