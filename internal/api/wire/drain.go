package wire

import "github.com/anchor-deploy/anchor/internal/anchor"

// AddDrain asks for copies of log lines to be sent somewhere.
type AddDrain struct {
	Kind    string   `json:"kind" enum:"http,loki,otlp,syslog" doc:"http sends JSON lines"`
	Project string   `json:"project,omitempty" maxLength:"64" doc:"Slug or id; all projects when absent"`
	Sources []string `json:"sources,omitempty" maxItems:"4" doc:"Of app (what apps print) and access (a line for each request); app when absent"`
	anchor.DrainTarget
}
