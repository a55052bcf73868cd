package nodejs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// Auto is the choice that prefers the release line Preferred and continues with the machine's
// Node.js when that cannot be installed.
const Auto = "auto"

// Preferred is the release line that Auto installs.
const Preferred = "24"

// Runtimes are the runtimes of one server.
type Runtimes struct {
	Machine worker.Node // the zero value where there is none
	Store   *Store
	// Check, when set, has to accept a runtime before functions run on it.
	Check func(ctx context.Context, n worker.Node) error

	wanted  Range         // of Default
	fixed   bool          // the operator chose a program: it runs every deployment
	settled chan struct{} // closed when Default does not change any more

	mu      sync.Mutex
	current worker.Node
	problem string // why Default is not what was chosen
}

// Open chooses the runtimes of a server by the operator's choice: a path or name of a program, ""
// for the node in PATH, a version or range ("24", "22.12.0") that is installed when it is missing,
// or Auto. With Auto a server begins with the machine's Node.js, and Run installs the preferred one.
func Open(ctx context.Context, choice string, s *Store) (*Runtimes, error) {
	r := &Runtimes{Store: s, settled: make(chan struct{})}
	wanted, ok := asRange(choice)
	if !ok {
		node, err := worker.FindNode(ctx, choice)
		if err != nil {
			return nil, err
		}
		r.Machine, r.current, r.fixed = node, node, choice != ""
		close(r.settled)
		return r, nil
	}
	r.wanted = wanted
	var missing error
	r.Machine, missing = worker.FindNode(ctx, "")
	if err := s.removeInterrupted(); err != nil {
		return nil, err
	}
	if found, ok := r.findDefault(); ok {
		r.current = found
		close(r.settled)
		return r, nil
	}
	if choice == Auto && missing == nil {
		r.current = r.Machine
		return r, nil
	}
	node, err := s.Install(ctx, wanted)
	if err != nil {
		return nil, anchor.Invalid("node_not_installed", "Node.js %s could not be installed", wanted).
			Hintf("Check the connection to the npm registry, or pass the path of an installed Node.js: anchor up --node PATH").Because(errors.Join(err, missing))
	}
	r.current = node
	close(r.settled)
	return r, nil
}

// findDefault returns an installed runtime that the choice allows.
func (r *Runtimes) findDefault() (worker.Node, bool) {
	if node, ok := r.Store.Find(r.wanted); ok {
		return node, true
	}
	return r.Machine, r.Machine.Path != "" && r.wanted.AllowsText(r.Machine.Version)
}

// IsRange reports whether an operator's choice means versions, which may be installed, and not a program.
func IsRange(choice string) bool {
	_, ok := asRange(choice)
	return ok
}

// asRange returns the range that a choice means, if it means one.
func asRange(choice string) (Range, bool) {
	if choice == Auto {
		choice = Preferred
	}
	if choice == "" || strings.ContainsAny(choice, "/\\") {
		return Range{}, false
	}
	r, err := ParseRange(choice)
	return r, err == nil
}

// Run installs what Open left to it. Deployments wait for it (Choose), visitors do not.
func (r *Runtimes) Run(ctx context.Context, log *slog.Logger) {
	select {
	case <-r.settled:
		return
	default:
	}
	defer close(r.settled)
	log.InfoContext(ctx, "installing Node.js from npm", "version", r.wanted.String(), "folder", r.Store.Dir)
	node, err := r.Store.Install(ctx, r.wanted)
	if err == nil {
		err = r.check(ctx, node)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.problem = fmt.Sprintf("Node.js %s could not be installed, so sites run on %s: %v", r.wanted, r.current.Version, err)
		log.WarnContext(ctx, "Node.js could not be installed", "version", r.wanted.String(), "running", r.current.Version, "error", err)
		return
	}
	r.current = node
	log.InfoContext(ctx, "installed Node.js", "version", node.Version)
}

func (r *Runtimes) check(ctx context.Context, n worker.Node) error {
	if r.Check == nil {
		return nil
	}
	return r.Check(ctx, n)
}

// Default returns the runtime of deployments that ask for nothing else.
func (r *Runtimes) Default() worker.Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// Problem says why Default is not what the operator chose; it is empty otherwise.
func (r *Runtimes) Problem() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.problem
}

// Choose returns the runtime for a build, and installs one if it must. The note says why it is not
// the one that the build asks for; it is empty otherwise.
func (r *Runtimes) Choose(ctx context.Context, n opennext.Runtime) (_ worker.Node, note string, err error) {
	select {
	case <-r.settled:
	case <-ctx.Done():
		return worker.Node{}, "", context.Cause(ctx)
	}
	node, ok := r.find(n)
	if ok {
		return node, "", nil
	}
	wanted, err := rangeOf(n)
	if err == nil {
		if node, err = r.Store.Install(ctx, wanted); err == nil {
			err = r.check(ctx, node)
		}
		if err == nil {
			return node, "", nil
		}
	}
	running := r.Default()
	if n.ABI != 0 {
		return worker.Node{}, "", anchor.Invalid("node_abi", "the app has compiled modules for Node.js %s, which is not installed", majorOf(n.ABI)).
			Hintf("Build the app with Node.js %s, or install Node.js %s and start the server with: anchor up --node PATH",
				majorText(running.Version), majorOf(n.ABI)).Because(err)
	}
	return running, fmt.Sprintf("engines.node is %q, but the app runs on Node.js %s: %v", n.Engines, running.Version, err), nil
}

// Find returns the runtime for a build among those that are installed, else the default.
func (r *Runtimes) Find(n opennext.Runtime) worker.Node {
	node, _ := r.find(n)
	return node
}

// Installed returns the runtime that Choose returns for a build, if Choose has nothing to wait for.
func (r *Runtimes) Installed(n opennext.Runtime) (worker.Node, bool) {
	select {
	case <-r.settled:
		return r.find(n)
	default:
		return worker.Node{}, false
	}
}

func (r *Runtimes) find(n opennext.Runtime) (worker.Node, bool) {
	running := r.Default()
	if r.fixed {
		return running, true
	}
	if n.Bound && n.ABI == 0 && r.Machine.Path != "" {
		return r.Machine, true // on which the build ran, most likely
	}
	wanted, err := rangeOf(n)
	if err != nil {
		return running, false
	}
	for _, node := range []worker.Node{running, r.Machine} {
		if wanted.AllowsText(node.Version) {
			return node, true
		}
	}
	if node, ok := r.Store.Find(wanted); ok {
		return node, true
	}
	return running, false
}

// rangeOf returns the versions that meet the need. Compiled modules decide over engines: they do
// not load on another line.
func rangeOf(n opennext.Runtime) (Range, error) {
	if n.ABI == 0 {
		return ParseRange(n.Engines)
	}
	return ParseRange(majorOf(n.ABI))
}

// majors are the release lines by NODE_MODULE_VERSION (Node.js' doc/abi_version_registry.json).
var majors = map[int]string{108: "18", 111: "19", 115: "20", 120: "21", 127: "22", 131: "23", 137: "24", 141: "25"}

func majorOf(abi int) string {
	if major, ok := majors[abi]; ok {
		return major
	}
	return fmt.Sprintf("ABI %d", abi)
}

func majorText(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}
