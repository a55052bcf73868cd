package anchor

import (
	"cmp"
	"regexp"
	"strings"
)

// EnvVar is an environment variable of a project. A project may have several of one name, each in a
// slot of its own.
type EnvVar struct {
	Name        string      `json:"name"`
	Value       string      `json:"value"`
	For         EnvPhase    `json:"for"`
	Environment Environment `json:"environment,omitempty" enum:"production,preview" doc:"The deployments that get it; all when it is missing"`
	Branch      string      `json:"branch,omitempty" doc:"The branch whose previews get it; all when it is missing"`
	UpdatedAt   int64       `json:"updatedAt"`
}

// Slot returns where the variable is stored.
func (v EnvVar) Slot() EnvSlot {
	return EnvSlot{Name: v.Name, Environment: v.Environment, Branch: v.Branch}
}

// Environment is what a deployment is for.
type Environment string

// The environments of a project.
const (
	EnvProduction Environment = "production"
	EnvPreview    Environment = "preview"
)

// EnvSlot is the place of a variable among those of a project: there is one of each slot.
type EnvSlot struct {
	Name        string
	Environment Environment // "" for both
	Branch      string      // "" for every branch; others only for EnvPreview
}

// Compare orders slots by name, and the more general ones first.
func (s EnvSlot) Compare(other EnvSlot) int {
	return cmp.Or(cmp.Compare(s.Name, other.Name), cmp.Compare(s.Environment, other.Environment), cmp.Compare(s.Branch, other.Branch))
}

// EnvScope selects variables: those of the deployments of an environment, and of a branch.
type EnvScope struct {
	Environment Environment
	Branch      string
	None        bool // no variable: the code is of somebody who must not see them
}

// ScopeOf returns the scope of a deployment of a branch: a branch that is not the production branch is
// a preview, unless the deployment goes live.
func (p Project) ScopeOf(branch string, noRelease bool) EnvScope {
	if noRelease && branch != "" && branch != p.ProductionBranch {
		return EnvScope{Environment: EnvPreview, Branch: branch}
	}
	return EnvScope{Environment: EnvProduction, Branch: branch}
}

// Reaches reports whether a variable of the slot is one of the scope's. Of two of one name, the
// later one in the order of slots counts.
func (s EnvSlot) Reaches(scope EnvScope) bool {
	return !scope.None && (s.Environment == "" || s.Environment == scope.Environment) && (s.Branch == "" || s.Branch == scope.Branch)
}

// vercelNames are the names that Vercel has for Anchor's own variables.
var vercelNames = map[string]string{
	"VERCEL_ENV": "ANCHOR_ENV", "VERCEL_TARGET_ENV": "ANCHOR_ENV", "VERCEL_URL": "ANCHOR_URL",
	"VERCEL_GIT_COMMIT_SHA": "ANCHOR_GIT_COMMIT_SHA", "VERCEL_GIT_COMMIT_REF": "ANCHOR_GIT_BRANCH",
	"VERCEL_GIT_PULL_REQUEST_ID": "ANCHOR_GIT_PULL_REQUEST_ID", "VERCEL_GIT_PREVIOUS_SHA": "ANCHOR_GIT_PREVIOUS_SHA",
	"VERCEL_DEPLOYMENT_ID": "ANCHOR_DEPLOYMENT_ID", "VERCEL_PROJECT_ID": "ANCHOR_PROJECT_ID",
}

// AddVercelNames adds Anchor's own variables under the names that Vercel has for them, when VERCEL is 1
// among vars. Those that are set stay as they are. VERCEL_URL has no scheme (Vercel, "System environment
// variables"). In production it is also VERCEL_PROJECT_PRODUCTION_URL, which Next.js reads for the addresses in
// metadata (next/dist/lib/metadata/resolvers/resolve-url.js).
func AddVercelNames(vars map[string]string) {
	if vars["VERCEL"] != "1" {
		return
	}
	for name, ours := range vercelNames {
		value, known := vars[ours]
		if _, set := vars[name]; set || !known || value == "" {
			continue
		}
		if name == "VERCEL_URL" {
			_, value, _ = strings.Cut(value, "://")
		}
		vars[name] = value
	}
	const production = "VERCEL_PROJECT_PRODUCTION_URL"
	if _, set := vars[production]; !set && vars["VERCEL_ENV"] == string(EnvProduction) && vars["VERCEL_URL"] != "" {
		vars[production] = vars["VERCEL_URL"]
	}
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
	case v.Environment != "" && v.Environment != EnvProduction && v.Environment != EnvPreview:
		return Invalid("bad_env", "%s is for %q, which is not an environment", v.Name, v.Environment).
			Hintf("Use production or preview.")
	case v.Branch != "" && v.Environment != EnvPreview:
		return Invalid("bad_env", "%s is for the branch %s of %s; only previews have branches", v.Name, v.Branch, cmp.Or(string(v.Environment), "both environments")).
			Hintf("Add --for preview, or omit the branch.")
	case len(v.Branch) > 255 || strings.ContainsFunc(v.Branch, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return Invalid("bad_env", "%q cannot be the name of a branch", v.Branch).
			Hintf("Use at most 255 characters without spaces.")
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
