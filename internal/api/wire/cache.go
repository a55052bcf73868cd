package wire

import "github.com/anchor-deploy/anchor/internal/anchor"

// PurgeCache asks to remove stored answers of a project: those that all members describe.
type PurgeCache struct {
	URL          string              `json:"url,omitempty" maxLength:"8192" doc:"An address, or a path on all hosts; without a query it stands for any query"`
	Prefix       string              `json:"prefix,omitempty" maxLength:"8192" doc:"How an address, or a path on all hosts, begins"`
	Tag          string              `json:"tag,omitempty" maxLength:"1024" doc:"A tag of Cache-Tag, Surrogate-Key or Next.js; answers whose tags are unknown are removed too"`
	DeploymentID anchor.DeploymentID `json:"deploymentId,omitempty" maxLength:"64" doc:"Only answers of this deployment"`
}

// PurgedCache says what a purge did.
type PurgedCache struct {
	Purged int `json:"purged" doc:"Answers that were removed"`
}

// Cache describes the answers that the edge stores for a project.
type Cache struct {
	Enabled       bool              `json:"enabled" doc:"False when the server runs without the cache"`
	CapacityBytes int64             `json:"capacityBytes" doc:"Memory for the answers of all projects"`
	UsedBytes     int64             `json:"usedBytes" doc:"Memory that they take now"`
	Evictions     int64             `json:"evictions" doc:"Answers removed to make room since the server started"`
	Deployments   []DeploymentCache `json:"deployments" nullable:"false" doc:"Newest first"`
}

// DeploymentCache describes the answers of one deployment. It counts since the server started.
type DeploymentCache struct {
	DeploymentID  anchor.DeploymentID `json:"deploymentId"`
	Live          bool                `json:"live"`
	Entries       int                 `json:"entries" doc:"Stored answers"`
	Bytes         int64               `json:"bytes" doc:"Memory that they take, estimated"`
	Hits          int64               `json:"hits" doc:"Requests answered from memory"`
	Stale         int64               `json:"stale" doc:"Requests answered from memory while the answer was refreshed"`
	Misses        int64               `json:"misses" doc:"Requests for an answer that was not there"`
	Collapsed     int64               `json:"collapsed" doc:"Misses that waited for the answer to another one"`
	Passed        int64               `json:"passed" doc:"Requests that were not for a shared cache"`
	Stored        int64               `json:"stored" doc:"Answers that were stored"`
	Invalidations int64               `json:"invalidations" doc:"Revalidations, purges and changes by unsafe methods"`
}
