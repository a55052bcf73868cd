package wire

import "github.com/anchor-deploy/anchor/internal/anchor"

// Stats describe the traffic of a project.
type Stats struct {
	Total       Traffic           `json:"total" doc:"Of the deployments together"`
	Deployments []DeploymentStats `json:"deployments" nullable:"false" doc:"Newest first: the live one, and those that had requests"`
}

// DeploymentStats describe the traffic of one deployment.
type DeploymentStats struct {
	DeploymentID anchor.DeploymentID `json:"deploymentId"`
	Live         bool                `json:"live"`
	Traffic
}

// Traffic describes requests that were answered within some time.
type Traffic struct {
	Seconds       float64          `json:"seconds" doc:"How much time this describes; shorter than requested if the server or the deployment is newer"`
	Requests      int64            `json:"requests"`
	PerSecond     float64          `json:"perSecond" doc:"Requests for each second"`
	Errors        int64            `json:"errors" doc:"Requests answered with a status of 5xx"`
	ErrorShare    float64          `json:"errorShare" doc:"Errors among the requests, 0 to 1"`
	CacheHitRatio *float64         `json:"cacheHitRatio,omitempty" doc:"Stored answers among those that can be stored, 0 to 1; absent without any"`
	ByCache       map[string]int64 `json:"byCache" doc:"Requests by what answered: static, hit, stale, miss, dynamic, edge"`
	Bytes         int64            `json:"bytes" doc:"Octets of bodies"`
	P50MS         float64          `json:"p50Ms" doc:"Half of the requests took at most so many milliseconds"`
	P95MS         float64          `json:"p95Ms"`
	P99MS         float64          `json:"p99Ms"`
}

// Series are the traffic of a project over time.
type Series struct {
	StepSeconds int64          `json:"stepSeconds" doc:"Time between two points"`
	Points      []SeriesPoint  `json:"points" nullable:"false" doc:"Oldest first, one for each step, those without requests too"`
	Releases    []SeriesMarker `json:"releases" nullable:"false" doc:"Releases within the time, oldest first"`
}

// SeriesPoint describes the requests of one step.
type SeriesPoint struct {
	At       int64    `json:"at" doc:"End of the step, Unix milliseconds"`
	Requests int64    `json:"requests"`
	Errors   int64    `json:"errors"`
	P50MS    float64  `json:"p50Ms"`
	P95MS    float64  `json:"p95Ms"`
	P99MS    float64  `json:"p99Ms"`
	HitRatio *float64 `json:"hitRatio,omitempty" doc:"Stored answers among those that can be stored, 0 to 1; absent without any"`
}

// SeriesMarker is a release.
type SeriesMarker struct {
	At           int64               `json:"at"`
	Version      string              `json:"version"`
	Kind         anchor.ReleaseKind  `json:"kind"`
	DeploymentID anchor.DeploymentID `json:"deploymentId"`
}
