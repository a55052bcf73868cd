//go:build !unix

package cli

import "os/exec"

// ownGroup: without process groups the command itself is all that is ended.
func ownGroup(*exec.Cmd) {}
