package deploy

import (
	"strconv"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// scope returns which of the project's variables the deployment gets.
func (r *run) scope() anchor.EnvScope {
	scope := r.artifact.Project.ScopeOf(r.record.Branch, r.record.NoRelease)
	scope.None = r.record.Fork
	return scope
}

// systemVariables returns the run-time variables that say which deployment this is.
func (r *run) systemVariables() map[string]string {
	scope := r.scope()
	vars := map[string]string{
		"ANCHOR_ENV": string(scope.Environment), "ANCHOR_GIT_COMMIT_SHA": r.record.CommitSha, "ANCHOR_GIT_BRANCH": r.record.Branch,
		DeploymentVariable: string(r.record.ID), ProjectVariable: string(r.record.ProjectID),
	}
	if r.record.PullRequest != 0 {
		vars["ANCHOR_GIT_PULL_REQUEST_ID"] = strconv.FormatInt(r.record.PullRequest, 10)
	}
	if r.URLs != nil {
		site, own := r.URLs(r.artifact.Project, r.record.ID)
		if vars["ANCHOR_URL"] = site; scope.Environment == anchor.EnvPreview {
			vars["ANCHOR_URL"] = own
		}
	}
	for name, value := range vars {
		if value == "" {
			delete(vars, name)
		}
	}
	return vars
}
