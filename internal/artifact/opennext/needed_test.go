package opennext_test

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

func TestNeeded(t *testing.T) {
	for path, want := range map[string]bool{
		"open-next.output.json":                   true,
		"assets":                                  true,
		"assets/.well-known/x":                    true,
		"cache/b/index.cache":                     true,
		"middleware/handler.mjs":                  true,
		"server-function/index.mjs":               true,
		"server-functions/default/index.mjs":      true,
		"server-functions/default/.next/BUILD_ID": true,
		"revalidation-function/index.mjs":         true,
		"dynamodb-provider":                       true,
		"dynamodb-provider/dynamodb-cache.json":   true,
		"dynamodb-provider/index.mjs":             false,
		"warmer-function":                         false,
		"warmer-function/index.mjs":               false,
		".build":                                  false,
		".build/cache.cjs":                        false,
	} {
		if got := opennext.Needed(path); got != want {
			t.Errorf("%s: %t, want %t", path, got, want)
		}
	}
}
