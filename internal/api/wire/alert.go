package wire

import "github.com/anchor-deploy/anchor/internal/anchor"

// AddAlertChannel asks for alerts to be sent somewhere.
type AddAlertChannel struct {
	Kind    string   `json:"kind" enum:"webhook,slack,email"`
	Project string   `json:"project,omitempty" maxLength:"64" doc:"Slug or id; all projects and the server itself when absent"`
	Events  []string `json:"events,omitempty" maxItems:"16" doc:"Of new-error, error-rate, failed-deploy and server-check; all when absent"`
	anchor.AlertTarget
}

// AddedAlertChannel is a channel that was added.
type AddedAlertChannel struct {
	anchor.AlertChannel
	Secret string `json:"secret,omitempty" doc:"Signs the webhooks; shown once"`
}
