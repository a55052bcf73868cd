package worker

import "os/exec"

// Spawn starts a command whose SysProcAttr is set. The kernel kills it when Anchor ends, where the
// system offers that.
func Spawn(cmd *exec.Cmd) error { return start(cmd) }
