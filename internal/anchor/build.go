package anchor

import "cmp"

// Build is what an OpenNext build made, read from its .open-next tree. Paths are
// slash-separated and relative to the tree's root.
type Build struct {
	Layout   string // "v3" (open-next.output.json; v4 keeps it) or "v2"
	BuildID  string // Next.js's BUILD_ID
	SkewID   string // deploymentId of next.config, which browsers send with requests of the build's pages, or ""
	BasePath string // "" or "/docs"

	Functions []Function
	Routes    []Route // in match order, "*" last

	Assets        string // folder, "assets"
	Cache         string // folder, "cache", or "" without an incremental cache
	CacheBuild    string // the folder below Cache and Cache/__fetch that this build reads
	TagCache      bool   // the functions read and write a tag table
	TagsFile      string // dynamodb-cache.json, the rows that table begins with, or "" for none
	PreviewModeID string // of prerender-manifest.json: proves a revalidation is ours

	Images Images

	Warmer bool // OpenNext made a warmer: the functions answer its events, which the app does not see

	Crons []Cron // of the app's anchor.json or vercel.json
}

// Images are the headers that next.config sets for every optimized image (images.contentSecurityPolicy and
// images.contentDispositionType). They are empty in builds of Next.js versions that lack the option.
type Images struct {
	SecurityPolicy string // "script-src 'none'; frame-src 'none'; sandbox;"
	Disposition    string // "attachment" or "inline"
}

// OrDefault returns the headers with Next.js' own values in place of those that a build lacks
// (next/dist/shared/lib/image-config.js; the disposition was not an option before Next.js 13.2).
func (i Images) OrDefault() Images {
	return Images{
		SecurityPolicy: cmp.Or(i.SecurityPolicy, "script-src 'none'; frame-src 'none'; sandbox;"),
		Disposition:    cmp.Or(i.Disposition, "inline"),
	}
}

// Function is one bundle that runs on request.
type Function struct {
	Name      string // "default", "imageOptimizer", "middleware", or the split function's
	Dir       string
	Handler   string // "index.handler"
	Streaming bool
	Wrapper   string // "aws-lambda", "aws-lambda-streaming", …
	Converter string // "aws-apigw-v2", "aws-cloudfront"
	Image     bool   // serves next/image
	Edge      bool   // runs before routing (external middleware)
}

// Route sends the paths of a CloudFront path pattern ("*" and "?", without the
// leading slash) to a function, or to the static files when Function is "".
type Route struct {
	Pattern    string
	Function   string
	Middleware string // the function to run first, or ""
}

// Function finds a function by its name.
func (b Build) Function(name string) (Function, bool) {
	for _, f := range b.Functions {
		if f.Name == name {
			return f, true
		}
	}
	return Function{}, false
}
