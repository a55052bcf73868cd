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
	Evictions     int64             `json:"evictions" doc:"Answers removed from memory to make room since the server started"`
	Disk          CacheDisk         `json:"disk" doc:"Answers of all projects on disk"`
	Deployments   []DeploymentCache `json:"deployments" nullable:"false" doc:"Newest first"`
}

// CacheDisk describes the answers on disk, of all projects. It counts since the server started.
type CacheDisk struct {
	CapacityBytes int64  `json:"capacityBytes" doc:"Disk space for the answers; 0 when they are in memory only"`
	UsedBytes     int64  `json:"usedBytes"`
	Entries       int    `json:"entries"`
	Written       int64  `json:"written" doc:"Answers written"`
	Read          int64  `json:"read" doc:"Answers read that memory did not have"`
	Damaged       int64  `json:"damaged" doc:"Files that were not as they had been written, and were removed"`
	Problem       string `json:"problem,omitempty" doc:"Why no answer can be written at the moment"`
}

// CachedAnswer describes a stored answer.
type CachedAnswer struct {
	ID           string              `json:"id" doc:"Of the answer among those of its deployment"`
	DeploymentID anchor.DeploymentID `json:"deploymentId"`
	URL          string              `json:"url"`
	Status       int                 `json:"status"`
	AgeSeconds   int64               `json:"ageSeconds"`
	FreshSeconds int64               `json:"freshSeconds" doc:"How long it stays fresh; below 0 it is refreshed when it is asked for"`
	Bytes        int64               `json:"bytes"`
	Hits         int64               `json:"hits" doc:"Requests that got it since it was stored, or read from disk"`
	Vary         []string            `json:"vary,omitempty" doc:"Request fields that select it, beside the URL"`
	Tags         []string            `json:"tags,omitempty" doc:"The first 32"`
	OnDisk       bool                `json:"onDisk" doc:"On disk only; the next request for it brings it into memory"`
}

// DeploymentCache describes the answers of one deployment. It counts since the server started.
type DeploymentCache struct {
	DeploymentID  anchor.DeploymentID `json:"deploymentId"`
	Live          bool                `json:"live"`
	Entries       int                 `json:"entries" doc:"Answers in memory"`
	Bytes         int64               `json:"bytes" doc:"Memory that they take, estimated"`
	DiskEntries   int                 `json:"diskEntries" doc:"Answers on disk, most of them in memory too"`
	DiskBytes     int64               `json:"diskBytes"`
	Recalled      int64               `json:"recalled" doc:"Answers read from disk"`
	Hits          int64               `json:"hits" doc:"Requests answered from memory"`
	Stale         int64               `json:"stale" doc:"Requests answered from memory while the answer was refreshed"`
	Misses        int64               `json:"misses" doc:"Requests for an answer that was not there"`
	Collapsed     int64               `json:"collapsed" doc:"Misses that waited for the answer to another one"`
	Passed        int64               `json:"passed" doc:"Requests that were not for a shared cache"`
	Stored        int64               `json:"stored" doc:"Answers that were stored"`
	Invalidations int64               `json:"invalidations" doc:"Revalidations, purges and changes by unsafe methods"`
}
