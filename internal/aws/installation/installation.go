// Package installation defines an installation of Anchor in an AWS account as commands use it:
// the port that internal/aws/install implements, and the inputs and results of its operations. It
// does not import AWS's SDK, which the server must not link.
package installation

import "context"

// Options name an installation and describe its desired configuration.
type Options struct {
	Profile, Region string // "": as the AWS SDK finds them
	Name            string // "": as the AWS SDK finds them
	Version         string // of this binary
	Architecture    string // of the functions; "" keeps the present one, arm64 at first

	// Parameters of the template that a user may set. Those that are not named keep their values.
	Parameters map[string]string

	Watch func(Event) // called with each event, when not nil; from one goroutine
}

// Open returns the installation that the options name. It makes no call to AWS.
type Open func(context.Context, Options) (Installation, error)

// Installation is one installation in one account and region.
type Installation interface {
	// Plan computes what Bootstrap would do and changes nothing.
	Plan(context.Context) (Plan, error)
	// Bootstrap creates the installation, or updates it to this version. It can be run again at
	// any time. After a failure or a killed run, it continues where that ended.
	Bootstrap(context.Context, BootstrapOptions) (Bootstrapped, error)
	// FirstToken creates a token of scope admin when no valid one exists, or when another is
	// requested, and returns its secret. It returns "" when it creates none.
	FirstToken(ctx context.Context, o Outputs, name string, another bool) (string, error)
	// Status describes the installation. The error is NotFound when it does not exist.
	Status(context.Context) (Status, error)
	// Destroy removes the installation and everything in it. It also removes what a killed run
	// left.
	Destroy(context.Context, DestroyOptions) (Destroyed, error)
}

// Event is a step of an operation.
type Event struct {
	Step string // "Bucket", "Key", "Handlers", "Change set", "Stack", …
	Text string // what it is doing, or with Done the result
	Done bool
}

// Change describes what would happen to one resource.
type Change struct {
	Action   string   `json:"action"`             // add, change, replace, maybe replace, remove
	Resource string   `json:"resource"`           // its logical id in the template
	Type     string   `json:"type"`               // AWS::S3::Bucket
	Physical string   `json:"physical,omitempty"` // its name or id, if it exists
	Why      []string `json:"why,omitempty"`      // the properties that differ
}

// Plan is what Bootstrap would do.
type Plan struct {
	Installation string   `json:"installation"`
	Account      string   `json:"account"`
	Region       string   `json:"region"`
	From         string   `json:"from,omitempty"` // the installed version
	To           string   `json:"to"`
	Changes      []Change `json:"changes"`
	Warnings     []string `json:"warnings,omitempty"` // what will need attention, whatever is changed
}

// Outputs holds the stack's outputs.
type Outputs struct {
	APIURL           string `json:"apiUrl"`
	Version          string `json:"version"` // of the anchor that last wrote the stack
	Region           string `json:"region"`
	Account          string `json:"account"`
	AssetsBucket     string `json:"assetsBucket"`
	ArtifactsBucket  string `json:"artifactsBucket"`
	ProjectsTable    string `json:"projectsTable"`
	DeploymentsTable string `json:"deploymentsTable"`
	DomainsTable     string `json:"domainsTable"`
	FunctionRole     string `json:"functionRole"` // ARN, of the sites' functions
	BuildProject     string `json:"buildProject"`
}

// BootstrapOptions holds a user's choices.
type BootstrapOptions struct {
	AllowDowngrade bool
	// Show, when not nil, is called with the changes before they are made. Its error ends the
	// bootstrap before the stack is changed.
	Show func([]Change) error
}

// Bootstrapped reports what Bootstrap did.
type Bootstrapped struct {
	Outputs
	Changes []Change `json:"changes"`
	Created bool     `json:"created"` // the stack did not exist before
}

// Status describes the state of an installation.
type Status struct {
	Outputs
	Installation string   `json:"installation"`
	Stack        string   `json:"stack"`             // CloudFormation's status
	Reason       string   `json:"reason,omitempty"`  // of it
	ChangedAt    int64    `json:"changedAt"`         // Unix milliseconds
	Projects     []string `json:"projects"`          // slugs
	Divided      []string `json:"divided,omitempty"` // slugs of those with divided traffic: a switch failed half-way
	Drift        string   `json:"drift"`             // CloudFormation's: NOT_CHECKED, IN_SYNC, DRIFTED, UNKNOWN
	Hints        []string `json:"hints,omitempty"`   // what can or must be done
	IdleUSD      float64  `json:"idleUsd"`           // what a month without visitors costs, by list prices: see Costs
	StartedUSD   float64  `json:"startedUsd"`        // the part of it for provisioned concurrency and warmers
}

// DestroyOptions holds a user's choices.
type DestroyOptions struct {
	Force bool // also with projects in it
	// Confirm, when not nil, is called with the projects that would be removed. Its error ends
	// the destruction before anything is removed.
	Confirm func(projects []string) error
}

// Destroyed reports what Destroy did.
type Destroyed struct {
	Installation string   `json:"installation"`
	Account      string   `json:"account"`
	Region       string   `json:"region"`
	Projects     []string `json:"projects"` // the removed ones
	Kept         []string `json:"kept"`     // what still exists, and why
}
