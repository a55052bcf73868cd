package worker

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// EventKind is the Lambda event that a bundle was built for.
type EventKind int

const (
	// APIGatewayV2 bundles (server and image functions) take payload format 2.0; call them with
	// Pool.ServeHTTP.
	APIGatewayV2 EventKind = iota
	// CloudFrontRequest bundles (the external middleware) are called with Pool.Invoke and
	// Middleware.Run.
	CloudFrontRequest
)

// User is the user and the group that a process runs as.
type User = jail.User

// Spec describes the bundle that a Pool runs, and how. Dir, Handler and Tmp are required.
type Spec struct {
	Name    string // label in logs and in the Lambda context, e.g. "default"
	Dir     string // bundle root; the working directory of the processes
	Handler string // "<module>.<export>": "index.handler"; the module may end in .mjs, .js or .cjs
	Event   EventKind
	// Env is the complete environment. The pool sets only PATH, HOME, TMPDIR and LAMBDA_TASK_ROOT
	// when Env lacks them.
	Env map[string]string

	// Files are the static files beside the bundle. When the app's routing resolves a request to
	// one of them, the answer names it in FileHeader.
	Files Files

	Min, Max    int // processes; Max 0: the number of cores
	Concurrency int // requests in flight per process at which another process is started; 0: 8
	Limit       int // requests in flight per process at which further ones queue; 0: 1024. Fewer while its event loop is busy
	Queue       int // requests that may wait for a process; 0: 512. Fewer while all event loops are busy
	// QueueTimeout bounds that wait (0: 30 s). IdleAfter is how long a process above Min may be
	// idle before it is stopped (0: 1 min). StartTimeout is how long it may take to import the
	// bundle (0: 30 s).
	QueueTimeout, IdleAfter, StartTimeout time.Duration
	// HangAfter is how long the event loop of a process may be blocked before it is killed and
	// replaced (0: 10 s).
	HangAfter time.Duration

	Budget *Budget    // bounds the processes of this pool and others together; nil: no bound
	Walls  jail.Walls // what keeps the processes from the rest of the machine; zero: nothing
	// Group is the control group of the processes and bounds their total use; nil: Anchor's own.
	Group *cgroup.Group
	Tree  string // folder that the processes may read, when that is more than Dir

	// Compiled is the folder in which Compile stores the compiled code of the bundle, for this pool
	// alone; "" stores none. Processes can read the code and not change it from level Filtered on, or
	// where they run as another user.
	Compiled string
	// CompileEnv replaces variables of Env in the process of Compile.
	CompileEnv map[string]string

	User        *User      // the user to run as when Anchor runs as root; nil: the same user
	MaxMemoryMB int        // of the JavaScript heap (--max-old-space-size); 0: Node.js decides
	Log         func(Line) // called from several goroutines; nil: logs are dropped
	Tmp         string     // folder in which the pool makes one of its own for sockets and TMPDIR
}

// withDefaults checks s and fills in defaults.
func (s Spec) withDefaults() (Spec, error) {
	if s.Dir == "" || s.Tmp == "" {
		return s, errors.New("worker: Spec.Dir and Spec.Tmp are required")
	}
	var err error
	if s.Dir, err = filepath.Abs(s.Dir); err != nil {
		return s, fmt.Errorf("worker: bundle folder: %w", err)
	}
	if s.Tree == "" {
		s.Tree = s.Dir
	}
	if s.Tree, err = filepath.Abs(s.Tree); err != nil {
		return s, fmt.Errorf("worker: bundle's tree: %w", err)
	}
	if s.Max == 0 {
		s.Max = max(s.Min, runtime.NumCPU())
	}
	if s.Min < 0 || s.Max < s.Min {
		return s, fmt.Errorf("worker: %s: Min %d and Max %d do not fit together", s.Name, s.Min, s.Max)
	}
	setDefault(&s.Concurrency, 8)
	setDefault(&s.Limit, max(1024, s.Concurrency))
	setDefault(&s.Queue, 512)
	setDefault(&s.QueueTimeout, 30*time.Second)
	setDefault(&s.IdleAfter, time.Minute)
	setDefault(&s.StartTimeout, 30*time.Second)
	setDefault(&s.HangAfter, 10*time.Second)
	if s.Name == "" {
		s.Name = filepath.Base(s.Dir)
	}
	if s.Log == nil {
		s.Log = func(Line) {}
	}
	return s, nil
}

func setDefault[T int | time.Duration](value *T, fallback T) {
	if *value <= 0 {
		*value = fallback
	}
}

// modulePath returns the file and the name of the export that Handler means.
func (s Spec) modulePath() (file, export string, err error) {
	dot := strings.LastIndexByte(s.Handler, '.')
	if dot <= 0 || dot == len(s.Handler)-1 || !filepath.IsLocal(s.Handler) {
		return "", "", fmt.Errorf("worker: handler %q is not of the form <module>.<export>", s.Handler)
	}
	base := filepath.Join(s.Dir, s.Handler[:dot])
	for _, ext := range []string{".mjs", ".js", ".cjs"} {
		if info, err := os.Stat(base + ext); err == nil && info.Mode().IsRegular() {
			return base + ext, s.Handler[dot+1:], nil
		}
	}
	return "", "", fmt.Errorf("worker: bundle %s has no %s.mjs, .js or .cjs; build the app again", s.Dir, s.Handler[:dot])
}

// processEnv returns Env for the process, with the few variables that programs cannot do without, and
// with others in the place of its own.
func (s Spec) processEnv(node Node, tmp string, others map[string]string) []string {
	env := map[string]string{
		"PATH":   filepath.Dir(node.Path) + ":/usr/local/bin:/usr/bin:/bin",
		"HOME":   tmp,
		"TMPDIR": tmp,
		// As Lambda sets it; bundles of OpenNext 2 find their cache handler by it.
		"LAMBDA_TASK_ROOT": s.Dir,
	}
	maps.Copy(env, s.Env)
	maps.Copy(env, others)
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}
