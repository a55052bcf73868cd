package deploy

import (
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// Request asks for a deployment of the files the manifest names.
type Request struct {
	Manifest      artifact.Manifest
	Delta         *artifact.Delta     // in place of Manifest when not nil
	FilesOf       anchor.DeploymentID // takes the files of that deployment in place of Manifest when not ""
	CommitSha     string
	CommitMessage string
	Branch        string
	PullRequest   int64             // number of the pull request at its host, 0 for none
	NoRelease     bool              // end as deployed without going live
	ForceReload   bool              // the release is one with release.ForceReload
	Split         *anchor.SplitPlan // the release is one with release.Splitting, if another deployment is live then; nil: it is not
	By            string            // name of the person or token that asks; "" if unknown
}

// Started is a deployment that waits for its files.
type Started struct {
	Deployment anchor.Deployment
	Missing    []artifact.Digest // what the server does not have yet
}
