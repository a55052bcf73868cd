package opennext_test

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

func TestParseV2_DetectsStreamingByBundle(t *testing.T) {
	tree := load(t, "v2.txtar")
	build, err := opennext.Parse(tree)
	must(t, err)
	server, _ := build.Function("default")
	if build.Layout != "v2" || !server.Streaming || server.Wrapper != "aws-lambda-streaming" {
		t.Errorf("a build with --streaming returns %+v", server)
	}
	tree["server-function/index.mjs"] = text("export { a as handler };")
	build, err = opennext.Parse(tree)
	must(t, err)
	if server, _ := build.Function("default"); server.Streaming || server.Wrapper != "aws-lambda" {
		t.Errorf("a build without --streaming returns %+v", server)
	}
}

func TestParseV2_Monorepo(t *testing.T) {
	const entry = `export const handler = async (event, context) => { const fn = await import("./apps/web/index.mjs"); return fn.handler(event, context);};`
	tree := load(t, "v2.txtar")
	tree["server-function/apps/web/index.mjs"] = tree["server-function/index.mjs"]
	tree["server-function/index.mjs"] = text(entry)
	_, err := opennext.Parse(tree)
	wantCode(t, err, "v2_streaming_monorepo")
	tree["server-function/apps/web/index.mjs"] = text("export { a as handler };")
	_, err = opennext.Parse(tree)
	must(t, err)
	delete(tree, "server-function/apps/web/index.mjs")
	_, err = opennext.Parse(tree)
	wantCode(t, err, "handler_missing")
}

func TestParseV2_BrokenBuilds(t *testing.T) {
	for missing, code := range map[string]string{
		"server-function/index.mjs":             "handler_missing",
		"image-optimization-function":           "bundle_missing",
		"image-optimization-function/index.mjs": "handler_missing",
		"assets":                                "assets_missing",
		"server-function":                       "open_next_missing",
	} {
		tree := load(t, "v2.txtar")
		remove(tree, missing)
		_, err := opennext.Parse(tree)
		wantCode(t, err, code)
	}
}
