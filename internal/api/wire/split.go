package wire

import "github.com/anchor-deploy/anchor/internal/anchor"

// ProjectSplit describes how the traffic of a project is divided.
type ProjectSplit struct {
	anchor.Split
	LiveDeployment anchor.DeploymentID `json:"liveDeploymentId" doc:"The live deployment, which gets the rest"`
	LiveVersion    string              `json:"liveVersion" doc:"Its version label"`
	Traffic        *anchor.Evidence    `json:"traffic,omitempty" doc:"What both have answered; absent where it is not counted"`
	Waiting        string              `json:"waiting,omitempty" doc:"Why the next step waits although it is due"`
}
