package asset

import (
	"encoding/json"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Env returns the variables by which the server functions find their cache and tag table
// (OpenNext's incrementalCache and tagCache).
func (s *Assets) Env(a deploy.Artifact) map[string]string {
	region := s.S3.Options().Region
	env := map[string]string{
		"CACHE_BUCKET_NAME":       s.AssetsBucket,
		"CACHE_BUCKET_KEY_PREFIX": strings.TrimSuffix(cachePrefix(a.Project.ID, a.Deployment.ID), "/"),
		"CACHE_BUCKET_REGION":     region, // of the tag table too
	}
	if a.Build.TagCache {
		env["CACHE_DYNAMO_TABLE"] = s.tableName(a.Project.ID, a.Deployment.ID)
	}
	return env
}

// ImageEnv returns the variables by which the image function finds originals (OpenNext's
// imageLoader). OPENNEXT_STATIC_ETAG stays unset: it makes the ETag of the URL and the BUILD_ID,
// so with a fixed BUILD_ID a changed picture would be answered with 304.
//
// ANCHOR_IMAGE_HEADERS holds the headers that next.config sets on image responses
// (function/entry/image.mjs).
func (s *Assets) ImageEnv(a deploy.Artifact) map[string]string {
	return map[string]string{
		"ANCHOR_IMAGE_HEADERS": imageHeaders(a.Build.Images.OrDefault()),
		"BUCKET_NAME":          s.AssetsBucket,
		"BUCKET_KEY_PREFIX":    strings.TrimSuffix(deploymentPrefix(a.Project.ID, a.Deployment.ID), "/"),
		"BUCKET_REGION":        s.S3.Options().Region,
	}
}

func imageHeaders(i anchor.Images) string {
	text, err := json.Marshal(map[string]string{"policy": i.SecurityPolicy, "disposition": i.Disposition})
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return string(text)
}
