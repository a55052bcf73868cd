package anchor

// Backup is a copy of the records. The JSON names are part of the API.
type Backup struct {
	Name   string `json:"name" example:"records-000042.db" doc:"Of the file in the folder backups of the data folder"`
	MadeAt int64  `json:"madeAt" doc:"Unix milliseconds"`
	Bytes  int64  `json:"bytes"`
	// Upgrade copies are not among those that newer ones replace.
	Upgrade bool `json:"upgrade,omitempty" doc:"Made before an upgrade of the schema; it is kept until somebody removes it"`
}
