package awswire

import (
	"encoding/json"
	"strings"
)

// The names by which bundles find their cache. They are the same for every deployment: the access
// key tells them apart.
const (
	CacheBucket = "anchor-cache"
	CachePrefix = "_cache"
	AssetBucket = "anchor-assets"
	Table       = "anchor-tags"
	TagIndex    = "revalidate" // OpenNext has this name in its code
	// Region is one that AWS does not have and cannot have: its names end in a number after a
	// direction. By the region the bootstrap (worker/bootstrap/aws.mjs) distinguishes calls to
	// Anchor from an app's calls to AWS.
	Region   = "anchor-local-1"
	queueURL = "https://sqs." + Region + ".amazonaws.com/000000000000/anchor-revalidation.fifo"
)

// wireVariable is read, and removed, by the bootstrap: the app's environment contains no endpoint
// and no key of Anchor's.
const wireVariable = "ANCHOR_WIRE"

// ServerEnv returns the variables of a server function (OpenNext's incrementalCache, tagCache and
// queue) for a handler served at endpoint, "http://127.0.0.1:port".
func ServerEnv(endpoint string, key Key) map[string]string {
	return map[string]string{
		wireVariable:                wireConfig(endpoint, key),
		"CACHE_BUCKET_NAME":         CacheBucket,
		"CACHE_BUCKET_KEY_PREFIX":   CachePrefix,
		"CACHE_BUCKET_REGION":       Region,
		"CACHE_DYNAMO_TABLE":        Table,
		"REVALIDATION_QUEUE_URL":    queueURL,
		"REVALIDATION_QUEUE_REGION": Region,
	}
}

// ImageEnv returns the variables of an image function (OpenNext's imageLoader). OpenNext's "s3"
// loader takes the region from AWS_REGION; no code of the app runs there that this could affect.
func ImageEnv(endpoint string, key Key) map[string]string {
	return map[string]string{
		wireVariable:        wireConfig(endpoint, key),
		"BUCKET_NAME":       AssetBucket,
		"BUCKET_KEY_PREFIX": "",
		"BUCKET_REGION":     Region,
		"AWS_REGION":        Region,
	}
}

func wireConfig(endpoint string, key Key) string {
	text, err := json.Marshal(map[string]any{
		"endpoint": strings.TrimSuffix(endpoint, "/"),
		"region":   Region,
		"buckets":  []string{CacheBucket, AssetBucket},
		"key":      key.ID,
		"secret":   key.Secret,
	})
	if err != nil {
		panic(err) // strings have a JSON form
	}
	return string(text)
}
