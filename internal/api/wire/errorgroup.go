package wire

import "github.com/anchor-deploy/anchor/internal/anchor"

// ErrorGroup is a group of errors as the API shows it.
type ErrorGroup struct {
	anchor.ErrorGroup
	New bool `json:"new" doc:"Whether only the live deployment logged it, so that it came with this version"`
}

// NewErrorGroup describes g for a project with that live deployment, "" for none.
func NewErrorGroup(g anchor.ErrorGroup, live anchor.DeploymentID) ErrorGroup {
	return ErrorGroup{g, len(g.Deployments) == 1 && g.Deployments[0].DeploymentID == live}
}
