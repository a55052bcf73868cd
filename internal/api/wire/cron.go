package wire

// StartCron is the body of POST /projects/{projectId}/crons/runs.
type StartCron struct {
	Path string `json:"path" minLength:"1" maxLength:"512" example:"/api/cron/digest" doc:"Of a cron of the live deployment"`
}

// PauseCron is the body of PUT /projects/{projectId}/crons/pause.
type PauseCron struct {
	Path   string `json:"path" minLength:"1" maxLength:"512" example:"/api/cron/digest" doc:"Of a cron of the live deployment"`
	Paused bool   `json:"paused" doc:"false lets it run again"`
}
