package worker

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// MinNodeMajor is the oldest Node.js release line that OpenNext 4 bundles run on.
const MinNodeMajor = 20

var (
	// ErrNodeMissing reports that there is no Node.js to run.
	ErrNodeMissing = errors.New("no Node.js found")
	// ErrNodeTooOld reports a Node.js older than MinNodeMajor.
	ErrNodeTooOld = errors.New("the Node.js found is too old")
)

const installHint = "install Node.js %d or newer (https://nodejs.org, or your system's package manager)"

// Node is a Node.js executable.
type Node struct {
	Path    string // absolute
	Version string // as `node --version` prints it, without the v: "20.20.2"
}

// FindNode returns the Node.js at explicitPath or, when that is empty, the first `node` in PATH.
// The error is ErrNodeMissing or ErrNodeTooOld, and says what to install.
func FindNode(ctx context.Context, explicitPath string) (Node, error) {
	name := explicitPath
	if name == "" {
		name = "node"
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return Node{}, fmt.Errorf("%w: "+installHint+": %w", ErrNodeMissing, MinNodeMajor, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return Node{}, fmt.Errorf("%w: %s --version failed; "+installHint+": %w", ErrNodeMissing, path, MinNodeMajor, err)
	}
	version, found := strings.CutPrefix(strings.TrimSpace(string(out)), "v")
	first, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(first)
	if !found || err != nil {
		return Node{}, fmt.Errorf("%w: %s is not Node.js (it answered %.40q to --version); "+installHint, ErrNodeMissing, path, out, MinNodeMajor)
	}
	if major < MinNodeMajor {
		return Node{}, fmt.Errorf("%w: %s is version %s; "+installHint, ErrNodeTooOld, path, version, MinNodeMajor)
	}
	return Node{Path: path, Version: version}, nil
}
