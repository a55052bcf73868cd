package api

import (
	"context"
	"iter"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// Projects keeps the projects.
type Projects interface {
	// Create makes a project: ErrInvalid on a bad slug, ErrConflict on a taken one.
	Create(ctx context.Context, slug, productionBranch string) (anchor.Project, error)
	// Get finds a project by id or slug, ErrNotFound.
	Get(ctx context.Context, idOrSlug string) (anchor.Project, error)
	List(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error)
	// Limits returns a project's limits, ErrNotFound; SetLimits replaces them, ErrInvalid for
	// limits out of range and where the platform has none.
	Limits(ctx context.Context, idOrSlug string) (anchor.ProjectLimits, error)
	SetLimits(ctx context.Context, idOrSlug string, l anchor.Limits) (anchor.ProjectLimits, error)
	// ProjectSettings returns a project's settings for AWS, ErrNotFound; SetSettings replaces them,
	// ErrInvalid for those that AWS refuses or that have no effect on this platform.
	ProjectSettings(ctx context.Context, idOrSlug string) (anchor.ProjectSettings, error)
	SetSettings(ctx context.Context, idOrSlug string, set anchor.Settings) (anchor.ProjectSettings, error)
	// PreviewRetention returns which previews of a project are kept, ErrNotFound; SetPreviewRetention
	// replaces that, ErrInvalid for what is out of range.
	PreviewRetention(ctx context.Context, idOrSlug string) (anchor.ProjectPreviewRetention, error)
	SetPreviewRetention(ctx context.Context, idOrSlug string, r anchor.PreviewRetention) (anchor.ProjectPreviewRetention, error)
	// Remove removes a project and everything that belongs to it, ErrNotFound. When that takes
	// long, it continues in the background: the project is Removing until it is removed.
	Remove(ctx context.Context, idOrSlug string) error
}

// Uploads lets clients send contents past the API, straight to their storage.
type Uploads interface {
	// Presign returns for each content a URL that accepts this content only, for some minutes.
	// It does not check whether the content is stored already.
	Presign(ctx context.Context, files []artifact.File) ([]artifact.Upload, error)
}

// Pushed builds the commits that are pushed to this server.
type Pushed interface {
	// Lines yields what a build printed, oldest first; with follow also the lines to come, until
	// its deployment has ended. An error is the last item.
	Lines(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, follow bool) iter.Seq2[anchor.LogLine, error]
	// Retry builds the commit of a build that has ended again: a Conflict when it has not ended,
	// ErrNotFound when the repository does not keep the commit any more.
	Retry(ctx context.Context, p anchor.Project, d anchor.DeploymentID) (anchor.Deployment, error)
}

// RemoteBuilds shows and repeats the builds of commits of repositories elsewhere, which run elsewhere, too.
type RemoteBuilds interface {
	Pushed
	BuildTail
}

// BuildTail is the log of builds that can be followed over many answers without a gap.
type BuildTail interface {
	// LinesFrom yields the lines with a Time of from or later, and those to come until the build has
	// ended. Another call returns the same lines in the same order.
	LinesFrom(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, from int64) iter.Seq2[anchor.LogLine, error]
}

// Hooks connects projects to repositories at other hosts.
type Hooks interface {
	// Connect connects a project or changes its connection.
	Connect(ctx context.Context, p anchor.Project, r anchor.ConnectRequest) (anchor.Connected, error)
	// Show returns a project's connection, ErrNotFound without one; with secrets also what the host
	// has to know.
	Show(ctx context.Context, p anchor.Project, secrets bool) (anchor.Connected, error)
	Disconnect(ctx context.Context, p anchor.Project) error
	// TrustHostKey lets the next clone accept the key that the ssh server has then.
	TrustHostKey(ctx context.Context, p anchor.Project) error
	PullRequests(ctx context.Context, p anchor.Project) ([]anchor.PullRequest, error)
	// Approve lets the known commit of a fork be built.
	Approve(ctx context.Context, p anchor.Project, number int64, commit string) (anchor.PullRequest, error)
	// Receive checks a delivery and stores it, durable on return; nothing changes with an error.
	Receive(ctx context.Context, p anchor.Project, call anchor.HookCall) (anchor.HookAnswer, error)
}

// Crons runs the crons of projects.
type Crons interface {
	// List returns the crons of the live deployment; none before the first release.
	List(ctx context.Context, p anchor.ProjectID) ([]anchor.CronState, error)
	// Runs returns the newest runs of a path, or of all paths when it is "", newest first.
	Runs(ctx context.Context, p anchor.ProjectID, path string, limit int) ([]anchor.CronRun, error)
	// Start runs a cron now: ErrNotFound when the live deployment has none with this path, a Conflict
	// when it runs already.
	Start(ctx context.Context, p anchor.ProjectID, path string) (anchor.CronRun, error)
	// Pause pauses a cron, or lets it run again: ErrNotFound when the live deployment has none with
	// this path.
	Pause(ctx context.Context, p anchor.ProjectID, path string, paused bool) ([]anchor.CronState, error)
}

// Previews protects the previews of projects.
type Previews interface {
	Show(ctx context.Context, p anchor.ProjectID) (anchor.PreviewProtection, error)
	// Protect lets previews ask for a password: ErrInvalid for one that is too short or too long.
	Protect(ctx context.Context, p anchor.ProjectID, password string) (anchor.PreviewProtection, error)
	// ProtectBySignIn lets visitors sign in: a Conflict when they cannot reach the dashboard.
	ProtectBySignIn(ctx context.Context, p anchor.ProjectID) (anchor.PreviewProtection, error)
	// Admit returns the address that brings the browser of a session back to the preview that made the
	// ticket: ErrInvalid for a ticket that is not the project's or has expired.
	Admit(ctx context.Context, p anchor.ProjectID, session, ticket string) (url string, err error)
	// NewBypass replaces the bypass token: a Conflict when previews are not protected.
	NewBypass(ctx context.Context, p anchor.ProjectID) (token string, err error)
	Unprotect(ctx context.Context, p anchor.ProjectID) error
}

// Logs reads what the apps wrote.
type Logs interface {
	// Last yields the last limit lines that match, oldest first. An error is the last item.
	Last(ctx context.Context, p anchor.ProjectID, f anchor.LogFilter, limit int) iter.Seq2[anchor.LogLine, error]
	// Follow returns the lines written from now on that match, until ctx is done.
	Follow(ctx context.Context, p anchor.ProjectID, f anchor.LogFilter) iter.Seq2[anchor.LogLine, error]
}

// Tail is Logs that can be followed over many answers without a gap. A request for it has a
// WatchFor.
type Tail interface {
	Logs
	// Settled is up to when (Unix milliseconds) what there is will not change any more.
	Settled() int64
	// Since returns the settled lines that match with a Time of from or later, and then those to come,
	// until ctx is done. Another call returns the same lines in the same order.
	Since(ctx context.Context, p anchor.ProjectID, f anchor.LogFilter, from int64) iter.Seq2[anchor.LogLine, error]
}

// Sites knows where projects and deployments can be seen.
type Sites interface {
	// URLs returns both without a trailing slash; deployment is "" when d is.
	URLs(p anchor.Project, d anchor.DeploymentID) (site, deployment string)
}

// Cache stores answers of projects that visitors share.
type Cache interface {
	Stats(ctx context.Context, p anchor.Project) (wire.Cache, error)
	// List returns the stored answers that sel describes, in no particular order.
	List(ctx context.Context, p anchor.Project, sel anchor.CacheSelection) ([]wire.CachedAnswer, error)
	// Purge removes answers and returns how many. No request that arrives after it gets one of
	// them.
	Purge(ctx context.Context, p anchor.Project, sel anchor.CacheSelection) (int, error)
}

// System reports on the installation.
type System interface {
	Status(ctx context.Context) (wire.Status, error)
	Doctor(ctx context.Context) []wire.Check
}
