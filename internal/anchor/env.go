package anchor

import (
	"regexp"
	"strings"
)

// EnvVar is an environment variable of a project.
type EnvVar struct {
	Name      string   `json:"name"`
	Value     string   `json:"value"`
	For       EnvPhase `json:"for"`
	UpdatedAt int64    `json:"updatedAt"`
}

// EnvPhase is when a variable is set.
type EnvPhase string

// The phases of an EnvVar.
const (
	EnvBuild EnvPhase = "build"
	EnvRun   EnvPhase = "run"
	EnvBoth  EnvPhase = "both"
)

// Covers reports whether a variable for p is set in phase.
func (p EnvPhase) Covers(phase EnvPhase) bool { return p == EnvBoth || p == phase }

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reservedEnv are the names that Anchor sets: an app that set them would
// lose its cache or its isolation. AWS_* are the app's own: its clients read them.
var reservedEnv = []string{"CACHE_", "REVALIDATION_QUEUE_", "BUCKET_", "AWS_LAMBDA_", "ANCHOR_", "OPEN_NEXT_", "OPENNEXT_", "LD_"}

// RootVariable is the one variable of Anchor's that a project sets: the folder of its app in the
// repository that is pushed.
const RootVariable = "ANCHOR_ROOT_DIRECTORY"

// CheckEnv returns an error for a variable that a project cannot have. A value has at most 32
// KiB and no NUL (execve(2)).
func CheckEnv(v EnvVar) error {
	switch {
	case !envName.MatchString(v.Name) || len(v.Name) > 128:
		return Invalid("bad_env", "%q cannot be the name of an environment variable", v.Name).
			Hintf("Use letters, digits and underscores, not beginning with a digit, at most 128 characters.")
	case len(v.Value) > 32<<10 || strings.ContainsRune(v.Value, 0):
		return Invalid("bad_env", "the value of %s is too long or contains a NUL", v.Name).
			Hintf("Values are at most 32 KiB of text.")
	case v.For != EnvBuild && v.For != EnvRun && v.For != EnvBoth:
		return Invalid("bad_env", "%s is for %q, which is not a phase", v.Name, v.For).
			Hintf("Use build, run or both.")
	}
	for _, prefix := range reservedEnv {
		if v.Name != RootVariable && strings.HasPrefix(v.Name, prefix) {
			return Invalid("reserved_env", "%s is set by Anchor and cannot be changed", v.Name).
				Hintf("Choose a name that does not begin with %s.", prefix)
		}
	}
	switch v.Name {
	case "NODE_OPTIONS", "NODE_ENV", "PATH", "HOME", "TMPDIR", "PORT", "HOST":
		return Invalid("reserved_env", "%s is set by Anchor and cannot be changed", v.Name).
			Hintf("Choose another name.")
	}
	return nil
}
