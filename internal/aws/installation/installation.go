// Package installation is an installation of Anchor in an AWS account as commands see
// it: the port that internal/aws/install implements, and what its operations take and tell.
// Nothing of AWS's SDK is in it, which the server does not want to carry.
package installation

import "context"

// Options name an installation and say how it shall be.
type Options struct {
	Profile, Region string // "": as the AWS SDK finds them
	Name            string // of the installation and its stack, "anchor"
	Version         string // of this binary
	Architecture    string // of the functions; "" is the one they have, arm64 at first

	// Parameters of the template that a user may set; those not named keep what they are.
	Parameters map[string]string

	Watch func(Event) // told what happens, when not nil; called from one goroutine
}

// Open gives the installation that the options name. It calls nothing of AWS.
type Open func(context.Context, Options) (Installation, error)

// Installation is one installation in one account and region.
type Installation interface {
	// Plan computes what Bootstrap would do and touches nothing.
	Plan(context.Context) (Plan, error)
	// Bootstrap makes the installation, or brings it to this version. It can be run again
	// at any time, and after a failure or a killed run goes on where that ended.
	Bootstrap(context.Context, BootstrapOptions) (Bootstrapped, error)
	// FirstToken makes a token of scope admin when there is none that is valid, or when
	// another is asked for, and gives its secret; "" when there is one.
	FirstToken(ctx context.Context, o Outputs, name string, another bool) (string, error)
	// Status looks at the installation, and is NotFound when there is none.
	Status(context.Context) (Status, error)
	// Destroy removes the installation and all it holds. What a killed run left is
	// removed by the next.
	Destroy(context.Context, DestroyOptions) (Destroyed, error)
}

// Event is a step of an operation.
type Event struct {
	Step string // "Bucket", "Key", "Handlers", "Change set", "Stack", …
	Text string // what it is at, or with Done what came of it
	Done bool
}

// Change is what would become of one resource.
type Change struct {
	Action   string   `json:"action"`             // add, change, replace, maybe replace, remove
	Resource string   `json:"resource"`           // its logical id in the template
	Type     string   `json:"type"`               // AWS::S3::Bucket
	Physical string   `json:"physical,omitempty"` // its name or id, where it is there
	Why      []string `json:"why,omitempty"`      // the properties that differ
}

// Plan is what Bootstrap would do.
type Plan struct {
	Installation string   `json:"installation"`
	Account      string   `json:"account"`
	Region       string   `json:"region"`
	From         string   `json:"from,omitempty"` // version that is installed
	To           string   `json:"to"`
	Changes      []Change `json:"changes"`
}

// Outputs are the stack's.
type Outputs struct {
	APIURL           string `json:"apiUrl"`
	Version          string `json:"version"` // of the anchor that wrote the stack last
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

// BootstrapOptions are what a user can say.
type BootstrapOptions struct {
	AllowDowngrade bool
	// Show is given the changes before they are made, when not nil; its error ends the
	// bootstrap with nothing of the stack touched.
	Show func([]Change) error
}

// Bootstrapped is what Bootstrap did.
type Bootstrapped struct {
	Outputs
	Changes []Change `json:"changes"`
	Created bool     `json:"created"` // there was no stack before
}

// Status is an installation as it is.
type Status struct {
	Outputs
	Installation string   `json:"installation"`
	Stack        string   `json:"stack"`            // CloudFormation's status
	Reason       string   `json:"reason,omitempty"` // of it
	ChangedAt    int64    `json:"changedAt"`        // Unix milliseconds
	Projects     []string `json:"projects"`         // slugs
	Drift        string   `json:"drift"`            // CloudFormation's: NOT_CHECKED, IN_SYNC, DRIFTED, UNKNOWN
	Hints        []string `json:"hints,omitempty"`  // what could or has to be done
}

// DestroyOptions are what a user can say.
type DestroyOptions struct {
	Force bool // with the projects in it
	// Confirm is asked once it is known what would go, when not nil; its error ends
	// the destruction with nothing touched.
	Confirm func(projects []string) error
}

// Destroyed is what Destroy did.
type Destroyed struct {
	Installation string   `json:"installation"`
	Account      string   `json:"account"`
	Region       string   `json:"region"`
	Projects     []string `json:"projects"` // that were removed
	Kept         []string `json:"kept"`     // what is there still, and why
}
