package anchor

// ErrorGroup is the errors of a project's apps that have the same cause, as far as their texts tell.
type ErrorGroup struct {
	ID       string `json:"id"`
	Title    string `json:"title" doc:"First line of the error, such as TypeError: x is not a function"`
	Location string `json:"location,omitempty" doc:"First line of the stack that is of the app"`
	Function string `json:"function"`
	Count    int64  `json:"count"`
	First    int64  `json:"firstSeen" doc:"Unix milliseconds"`
	Last     int64  `json:"lastSeen" doc:"Unix milliseconds"`
	// Deployments have the errors of each deployment, the newest first.
	Deployments []ErrorCount `json:"deployments" nullable:"false" doc:"Errors by deployment, the newest first"`
	Sample      LogLine      `json:"sample" doc:"The last line of this group"`
}

// ErrorCount is how often a deployment logged the errors of a group.
type ErrorCount struct {
	DeploymentID DeploymentID `json:"deploymentId"`
	Count        int64        `json:"count"`
	First        int64        `json:"firstSeen" doc:"Unix milliseconds"`
	Last         int64        `json:"lastSeen" doc:"Unix milliseconds"`
}
