package awswire

import "strings"

// The names that bundles are told. They are the same for every deployment: the access key tells them apart.
const (
	CacheBucket = "anchor-cache"
	CachePrefix = "_cache"
	AssetBucket = "anchor-assets"
	Table       = "anchor-tags"
	TagIndex    = "revalidate" // OpenNext has this name in its code
	Region      = "us-east-1"
	queuePath   = "/000000000000/anchor-revalidation.fifo"
)

// ServerEnv returns the variables of a server function (OpenNext's incrementalCache, tagCache and queue) for a
// handler served at endpoint, "http://127.0.0.1:port". The host must be an IP address.
func ServerEnv(endpoint string, key Key) map[string]string {
	env := commonEnv(endpoint, key)
	env["CACHE_BUCKET_NAME"] = CacheBucket
	env["CACHE_BUCKET_KEY_PREFIX"] = CachePrefix
	env["CACHE_BUCKET_REGION"] = Region
	env["CACHE_DYNAMO_TABLE"] = Table
	env["REVALIDATION_QUEUE_URL"] = strings.TrimSuffix(endpoint, "/") + queuePath
	env["REVALIDATION_QUEUE_REGION"] = Region
	return env
}

// ImageEnv returns the variables of an image function (OpenNext's imageLoader).
func ImageEnv(endpoint string, key Key) map[string]string {
	env := commonEnv(endpoint, key)
	env["BUCKET_NAME"] = AssetBucket
	env["BUCKET_KEY_PREFIX"] = ""
	env["BUCKET_REGION"] = Region
	return env
}

func commonEnv(endpoint string, key Key) map[string]string {
	endpoint = strings.TrimSuffix(endpoint, "/")
	return map[string]string{
		"AWS_ENDPOINT_URL_S3":       endpoint,
		"AWS_ENDPOINT_URL_DYNAMODB": endpoint,
		"AWS_ENDPOINT_URL_SQS":      endpoint,
		"AWS_REGION":                Region,
		"AWS_ACCESS_KEY_ID":         key.ID,
		"AWS_SECRET_ACCESS_KEY":     key.Secret,
	}
}
