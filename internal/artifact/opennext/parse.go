package opennext

import (
	"errors"
	"io/fs"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The folders of a tree that keep their name in all layouts.
const (
	assetsDir       = "assets"
	cacheDir        = "cache"
	fetchDir        = "__fetch" // below cacheDir
	imageDir        = "image-optimization-function"
	revalidationDir = "revalidation-function"
	tagsFile        = "dynamodb-provider/dynamodb-cache.json"
)

// Parse reads the tree of one build; tree is the .open-next folder itself. Every
// function of the result has its handler in the tree. Cache names the folder even
// when no page was prerendered and the tree lacks it.
func Parse(tree fs.FS) (anchor.Build, error) {
	out, err := readOutput(tree)
	switch {
	case err == nil:
		return parseV3(tree, out)
	case !errors.Is(err, fs.ErrNotExist):
		return anchor.Build{}, err
	case isFolder(tree, serverDirV2):
		return parseV2(tree)
	}
	return anchor.Build{}, notATree(tree)
}

// notATree explains what the folder is instead of a finished build.
func notATree(tree fs.FS) error {
	switch {
	case isFolder(tree, ".open-next"):
		return anchor.Invalid("open_next_above", "this is the folder that holds .open-next, not .open-next itself").
			Hintf("Deploy the .open-next folder in it.")
	case isFolder(tree, serversDir):
		return anchor.Invalid("build_unfinished", ".open-next holds %s but no %s", serversDir, outputFile).
			Hintf("The build was interrupted before its last step. " + buildAgain)
	case isFile(tree, "worker.js"), isFolder(tree, "cloudflare"), isFolder(tree, "cloudflare-templates"):
		return anchor.Invalid("cloudflare_build", "this build was made by @opennextjs/cloudflare for Cloudflare Workers").
			Hintf("Build with @opennextjs/aws instead: npx @opennextjs/aws build.")
	}
	return anchor.Invalid("open_next_missing", "there is no OpenNext build: neither %s nor %s is in .open-next", outputFile, serverDirV2).
		Hintf("Build the app first: npx @opennextjs/aws build.")
}

func parseV3(tree fs.FS, out output) (anchor.Build, error) {
	functions, err := readFunctions(tree, out)
	if err != nil {
		return anchor.Build{}, err
	}
	build := anchor.Build{Layout: "v3", Functions: functions, Warmer: out.Additional.Warmer != nil}
	if !out.Additional.DisableIncrementalCache {
		build.Cache, build.TagCache = cacheDir, !out.Additional.DisableTagCache
	}
	if err := describeCommon(tree, &build); err != nil {
		return anchor.Build{}, err
	}
	build.Routes, err = readRoutes(out, build.BasePath)
	if err != nil {
		return anchor.Build{}, err
	}
	return build, nil
}

// describeCommon adds what all layouts have in the same files. Functions, Cache and TagCache are
// already set.
func describeCommon(tree fs.FS, build *anchor.Build) error {
	if !isFolder(tree, assetsDir) {
		return anchor.Invalid("assets_missing", "the folder %s does not exist", assetsDir).Hintf(buildAgain)
	}
	build.Assets = assetsDir
	next, err := readNext(tree, *build)
	if err != nil {
		return err
	}
	build.BuildID, build.BasePath = next.buildID, next.basePath
	build.PreviewModeID, build.Images = next.previewModeID, next.images
	if build.Crons, err = readCrons(tree); err != nil {
		return err
	}
	if build.Cache == "" {
		return nil
	}
	build.CacheBuild, build.SkewID = next.cacheBuild(), next.deploymentID
	if build.PreviewModeID == "" {
		return anchor.Invalid("no_prerender_manifest", "no prerender-manifest.json with a preview mode id is in the build").
			Hintf("Revalidation needs it. " + buildAgain)
	}
	if build.TagCache && isFile(tree, tagsFile) {
		build.TagsFile = tagsFile
	}
	return nil
}
