package asset

import (
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const (
	sharedRoot     = "assets/"
	deploymentRoot = "deployments/"
	cacheRoot      = "cache/"
	contentRoot    = "files/" // of the artifacts bucket
	indexFolder    = ".anchor/"
	indexSuffix    = ".json"
)

// seededName marks a cache whose seeding is done. OpenNext's keys below a build id end in
// ".cache", ".composable" or the hash of a fetch, so the mark cannot collide with one.
const seededName = ".anchor/seeded"

// longestKey is S3's limit, in bytes of UTF-8.
const longestKey = 1024

func sharedPrefix(p anchor.ProjectID) string { return sharedRoot + string(p) + "/" }

func indexPrefix(p anchor.ProjectID) string { return sharedPrefix(p) + indexFolder }

func indexKey(p anchor.ProjectID, d anchor.DeploymentID) string {
	return indexPrefix(p) + string(d) + indexSuffix
}

// deploymentPrefix begins the keys of a deployment's own files. It contains the project, because the
// project's role grants it.
func deploymentPrefix(p anchor.ProjectID, d anchor.DeploymentID) string {
	return deploymentRoot + string(p) + "/" + string(d) + "/"
}

// formerPrefix and formerTable are what earlier versions of Anchor used; deployments of theirs are
// still to be removed.
func formerPrefix(d anchor.DeploymentID) string { return deploymentRoot + string(d) + "/" }

func (s *Assets) formerTable(d anchor.DeploymentID) string {
	return s.Installation + "-tags-" + string(d)
}

// Path returns the URL of the folder of the deployment's own files:
// s3://bucket/deployments/<projectId>/<deploymentId>/.
func (s *Assets) Path(p anchor.ProjectID, d anchor.DeploymentID) string {
	return "s3://" + s.AssetsBucket + "/" + deploymentPrefix(p, d)
}

func projectCachePrefix(p anchor.ProjectID) string { return cacheRoot + string(p) + "/" }

func cachePrefix(p anchor.ProjectID, d anchor.DeploymentID) string {
	return projectCachePrefix(p) + string(d) + "/"
}

// basePrefix returns the base path as it appears in a key: "" or "docs/".
func basePrefix(b anchor.Build) string { return strings.TrimPrefix(b.BasePath+"/", "/") }

// tableName returns the name of a deployment's tag table. It contains the project, because the
// project's role grants it.
func (s *Assets) tableName(p anchor.ProjectID, d anchor.DeploymentID) string {
	return s.Installation + "-tags-" + string(p) + "-" + string(d)
}
