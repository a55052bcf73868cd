package anchor

// AlertKinds are the forms in which alerts are sent.
var AlertKinds = []string{"webhook", "slack", "email"}

// AlertEvents are what alerts report.
var AlertEvents = []string{"new-error", "error-rate", "failed-deploy", "server-check"}

// AlertChannel is where alerts go. The JSON names are part of the API and of the records.
type AlertChannel struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind" enum:"webhook,slack,email" doc:"webhook is signed as Standard Webhooks describe"`
	Target    string    `json:"target" doc:"Host of the URL, or the recipient's address"`
	ProjectID ProjectID `json:"projectId,omitempty" doc:"Absent: all projects, and the server itself"`
	Events    []string  `json:"events" nullable:"false" doc:"What is reported: new-error, error-rate, failed-deploy, server-check"`
	CreatedAt int64     `json:"createdAt" doc:"Unix milliseconds"`
	LastAt    int64     `json:"lastAt,omitempty" doc:"When the last alert was sent or failed, in Unix milliseconds"`
	LastError string    `json:"lastError,omitempty" doc:"Why the last alert could not be sent; absent when it was sent"`
}

// AlertTarget is the secret part of a channel.
type AlertTarget struct {
	URL    string `json:"url,omitempty" doc:"Of the webhook"`
	Secret string `json:"secret,omitempty" doc:"Signs webhooks; generated"`
	SMTP   string `json:"smtp,omitempty" doc:"smtp://USER:PASSWORD@HOST:587 (with STARTTLS) or smtps://USER:PASSWORD@HOST"`
	From   string `json:"from,omitempty" doc:"Address that e-mails come from"`
	To     string `json:"to,omitempty" doc:"Address that e-mails go to"`
}

// Alert is one message about one trouble.
type Alert struct {
	Event      string       `json:"event"`
	Key        string       `json:"key" doc:"The same for alerts about the same trouble"`
	Resolved   bool         `json:"resolved" doc:"Whether the trouble is over"`
	Project    string       `json:"project,omitempty" doc:"Slug"`
	ProjectID  ProjectID    `json:"projectId,omitempty"`
	Deployment DeploymentID `json:"deploymentId,omitempty"`
	Title      string       `json:"title"`
	Text       string       `json:"text,omitempty"`
	Time       int64        `json:"time" doc:"Unix milliseconds"`
}
