package anchor

// LogLine is one line an app wrote. The JSON names are part of the API, and of the files
// that platform local keeps.
type LogLine struct {
	Time         int64        `json:"time" doc:"Unix milliseconds"`
	DeploymentID DeploymentID `json:"deploymentId"`
	Function     string       `json:"function"`
	RequestID    string       `json:"requestId,omitempty"`
	Level        string       `json:"level"` // debug, info, warn, error
	Text         string       `json:"text"`
}
