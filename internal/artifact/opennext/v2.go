package opennext

import (
	"io/fs"
	"path"
	"regexp"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// serverDirV2 is the folder of the only server function of open-next 2, which writes no output
// file.
const serverDirV2 = "server-function"

func parseV2(tree fs.FS) (anchor.Build, error) {
	server := anchor.Function{
		Name: anchor.ServerFunction, Dir: serverDirV2, Handler: "index.handler",
		Wrapper: "aws-lambda", Converter: converter,
	}
	if err := checkHandler(tree, server); err != nil {
		return anchor.Build{}, err
	}
	streams, err := streamsV2(tree, server)
	if err != nil {
		return anchor.Build{}, err
	}
	if streams {
		server.Streaming, server.Wrapper = true, "aws-lambda-streaming"
	}
	image := anchor.Function{
		Name: anchor.ImageFunction, Dir: imageDir, Handler: "index.handler",
		Wrapper: "aws-lambda", Converter: converter, Image: true,
	}
	if err := checkHandler(tree, image); err != nil {
		return anchor.Build{}, err
	}
	build := anchor.Build{Layout: "v2", Functions: []anchor.Function{server, image}, Cache: cacheDir, TagCache: true}
	if err := describeCommon(tree, &build); err != nil {
		return anchor.Build{}, err
	}
	build.Routes, err = routesV2(tree, build.BasePath)
	return build, err
}

var streamify = regexp.MustCompile(`awslambda\.streamifyResponse\(`)

// streamsV2 reports whether the bundle was built with --streaming, which puts
// plugins/streaming.replacement.js into it and leaves no other trace.
func streamsV2(tree fs.FS, server anchor.Function) (bool, error) {
	home, err := bundleHome(tree, server)
	if err != nil {
		return false, err
	}
	name := path.Join(home, path.Base(handlerFile(tree, server)))
	code, err := readFile(tree, name, maxBundle)
	if err != nil {
		return false, unreadableError(name, err)
	}
	streams := streamify.Match(code)
	if streams && home != server.Dir {
		// The call that leads to the app's handler passes (event, context) where a
		// streaming one takes (event, responseStream, context).
		return false, anchor.Invalid("v2_streaming_monorepo", "open-next 2 cannot stream from an app in a monorepo (%s)", home).
			Hintf("Build without --streaming, or build with @opennextjs/aws 3 or later.")
	}
	return streams, nil
}

// routesV2 returns the routes that generateOutput.js of v3 writes for an app without split
// functions.
func routesV2(tree fs.FS, basePath string) ([]anchor.Route, error) {
	prefix := normalizePattern(basePath + "/")
	routes := []anchor.Route{
		{Pattern: prefix + "_next/image*", Function: anchor.ImageFunction},
		{Pattern: prefix + "_next/data/*", Function: anchor.ServerFunction},
	}
	entries, err := fs.ReadDir(tree, assetsDir)
	if err != nil {
		return nil, unreadableError(assetsDir, err)
	}
	for _, entry := range entries {
		pattern := prefix + entry.Name()
		if entry.IsDir() {
			pattern += "/*"
		}
		if route := (anchor.Route{Pattern: pattern}); isPublic(route, basePath) {
			routes = append(routes, route)
		}
	}
	return append(routes, anchor.Route{Pattern: everything, Function: anchor.ServerFunction}), nil
}
