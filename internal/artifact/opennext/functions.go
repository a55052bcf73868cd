package opennext

import (
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// What the bundles may be compiled for (overrides/wrappers and overrides/converters).
// The rest is for other clouds, for API Gateway's own formats, or for development.
var (
	wrappers       = []string{"aws-lambda", "aws-lambda-streaming", "aws-lambda-compressed"}
	converter      = "aws-apigw-v2"
	edgeWrappers   = []string{"aws-lambda"}
	edgeConverters = []string{"aws-cloudfront", "aws-apigw-v2"}
)

var functionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// readFunctions returns the server function first, then the image function, then the others by
// name, and the middleware last.
func readFunctions(tree fs.FS, out output) ([]anchor.Function, error) {
	var functions []anchor.Function
	for _, name := range functionOrder(out) {
		if err := checkName(name); err != nil {
			return nil, err
		}
		f, err := readFunction(tree, name, out.Origins[name])
		if err != nil {
			return nil, err
		}
		functions = append(functions, f)
	}
	for _, name := range slices.Sorted(maps.Keys(out.EdgeFunctions)) {
		f, err := readEdge(tree, name, out.EdgeFunctions[name])
		if err != nil {
			return nil, err
		}
		functions = append(functions, f)
	}
	return functions, nil
}

func functionOrder(out output) []string {
	first := []string{anchor.ServerFunction, anchor.ImageFunction}
	var names []string
	for _, name := range slices.Concat(first, slices.Sorted(maps.Keys(out.Origins))) {
		if _, there := out.Origins[name]; there && name != staticOrigin && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func checkName(name string) error {
	if functionName.MatchString(name) && name != anchor.MiddlewareFunction {
		return nil
	}
	return anchor.Invalid("bad_function_name", "%q cannot be the name of a function", name).
		Hintf("Rename it under functions in open-next.config.ts: letters, digits, _ and -, at most 64, and not %q.", anchor.MiddlewareFunction)
}

func readFunction(tree fs.FS, name string, o origin) (anchor.Function, error) {
	switch o.Type {
	case "function":
	case "ecs":
		return anchor.Function{}, anchor.Invalid("container_function", "the function %s is built as a container", name).
			Hintf("Remove generateDockerfile from its override in open-next.config.ts, and build again.")
	default:
		return anchor.Function{}, anchor.Invalid("unknown_layout", "%s declares the function %s with the unknown type %q", outputFile, name, o.Type).
			Hintf("Anchor supports the layouts of open-next 2 and @opennextjs/aws 3 and 4. Build with one of these, or update Anchor.")
	}
	if err := checkCompiledFor(name, o, wrappers, []string{converter}); err != nil {
		return anchor.Function{}, err
	}
	if err := checkCaches(name, o); err != nil {
		return anchor.Function{}, err
	}
	f := o.functionOf(name)
	f.Image = name == anchor.ImageFunction
	return f, checkHandler(tree, f)
}

// readEdge reads the external middleware. Its output always names the default converter,
// whichever was compiled in (generateOutput.js against createMiddleware.js, defaultConverter),
// so readEdge reads the bundle instead.
func readEdge(tree fs.FS, name string, o origin) (anchor.Function, error) {
	if name != anchor.MiddlewareFunction {
		return anchor.Function{}, anchor.Invalid("global_function", "the function %s is built to run at CloudFront's edge", name).
			Hintf(`Remove placement: "global" from it in open-next.config.ts, and build again.`)
	}
	if strings.HasPrefix(o.Wrapper, "cloudflare") {
		return anchor.Function{}, checkCompiledFor(name, o, edgeWrappers, edgeConverters)
	}
	f := o.functionOf(name)
	f.Edge = true
	if err := checkHandler(tree, f); err != nil {
		return anchor.Function{}, err
	}
	code, err := readFile(tree, handlerFile(tree, f), maxBundle)
	if err != nil {
		return anchor.Function{}, unreadableError(f.Dir, err)
	}
	for _, known := range edgeConverters {
		if namesOverride(code, known) {
			o.Converter = known
			break
		}
	}
	f.Converter = o.Converter
	return f, checkCompiledFor(name, o, edgeWrappers, edgeConverters)
}

// namesOverride reports whether the code has the name that each override of OpenNext exports,
// as esbuild prints it, minified or not.
func namesOverride(code []byte, name string) bool {
	pattern := regexp.MustCompile(`\bname: ?"` + regexp.QuoteMeta(name) + `"`)
	return pattern.Match(code)
}

func (o origin) functionOf(name string) anchor.Function {
	return anchor.Function{
		Name:      name,
		Dir:       strings.TrimPrefix(path.Clean(strings.TrimPrefix(o.Bundle, "./")), ".open-next/"),
		Handler:   o.Handler,
		Streaming: o.Streaming,
		Wrapper:   o.Wrapper,
		Converter: o.Converter,
	}
}

func checkCompiledFor(name string, o origin, wrappers, converters []string) error {
	if strings.HasPrefix(o.Wrapper, "cloudflare") || o.Converter == "edge" {
		return anchor.Invalid("cloudflare_build", "the function %s is built for Cloudflare Workers (wrapper %q, converter %q)", name, o.Wrapper, o.Converter).
			Hintf("Remove its wrapper and converter from open-next.config.ts, and build with @opennextjs/aws.")
	}
	if !slices.Contains(wrappers, o.Wrapper) {
		return anchor.Invalid("unsupported_wrapper", "the function %s is built with the wrapper %q", name, o.Wrapper).
			Hintf("Set its override.wrapper in open-next.config.ts to one of %s, and build again.", strings.Join(wrappers, ", "))
	}
	if !slices.Contains(converters, o.Converter) {
		return anchor.Invalid("unsupported_converter", "the function %s is built with the converter %q", name, o.Converter).
			Hintf("Set its override.converter in open-next.config.ts to one of %s, and build again.", strings.Join(converters, ", "))
	}
	return nil
}

// checkCaches refuses the caches that only work in OpenNext's own development server, and the
// one that keeps its entries in the tag table. A cache of the app's author passes: it brings
// all it needs.
func checkCaches(name string, o origin) error {
	for setting, value := range map[string]string{"incrementalCache": o.IncrementalCache, "tagCache": o.TagCache} {
		if strings.HasPrefix(value, "fs-dev") || value == "multi-tier-ddb-s3" {
			return anchor.Invalid("unsupported_cache", "the function %s is built with %s: %q", name, setting, value).
				Hintf("Remove override.%s from it in open-next.config.ts for the default, and build again.", setting)
		}
	}
	return nil
}

func checkHandler(tree fs.FS, f anchor.Function) error {
	if !fs.ValidPath(f.Dir) || f.Dir == "." {
		return anchor.Invalid("bad_bundle_path", "%s declares the bundle of the function %s at %q", outputFile, f.Name, f.Dir).
			Hintf("The bundle must be a folder in .open-next. " + buildAgain)
	}
	if !isFolder(tree, f.Dir) {
		return anchor.Invalid("bundle_missing", "the bundle of the function %s does not exist: %s", f.Name, f.Dir).
			Hintf(buildAgain)
	}
	if handlerFile(tree, f) == "" {
		return anchor.Invalid("handler_missing", "the bundle of the function %s has no file for its handler %q in %s", f.Name, f.Handler, f.Dir).
			Hintf(buildAgain)
	}
	_, err := bundleHome(tree, f)
	return err
}

// handlerFile returns the module of a handler such as "index.handler", or "".
func handlerFile(tree fs.FS, f anchor.Function) string {
	dot := strings.LastIndexByte(f.Handler, '.')
	if dot <= 0 {
		return ""
	}
	for _, extension := range []string{".mjs", ".js", ".cjs"} {
		name := path.Join(f.Dir, f.Handler[:dot]+extension)
		if strings.HasPrefix(name, f.Dir+"/") && isFile(tree, name) {
			return name
		}
	}
	return ""
}

// In a monorepo the handler's file only leads to the app's own (addMonorepoEntrypoint):
// by export in v3 and v4 (build/createServerBundle.js), by a call in v2 (build.js).
var (
	reExport = regexp.MustCompile(`^\s*export ?\{ ?handler ?\} ?from ?"\./([^"]+)";?\s*$`)
	forward  = regexp.MustCompile(`^\s*export const handler = async \(event, context\) => \{\s*const fn = await import\("\./([^"]+)"\);`)
)

// bundleHome returns the folder that holds the real handler and .next: the bundle's own,
// or the app's path below it in a monorepo.
func bundleHome(tree fs.FS, f anchor.Function) (string, error) {
	name := handlerFile(tree, f)
	info, err := fs.Stat(tree, name)
	if err != nil {
		return "", unreadableError(name, err)
	}
	if info.Size() > maxText {
		return f.Dir, nil
	}
	code, err := readFile(tree, name, maxText)
	if err != nil {
		return "", unreadableError(name, err)
	}
	match := reExport.FindSubmatch(code)
	if match == nil {
		match = forward.FindSubmatch(code)
	}
	if match == nil {
		return f.Dir, nil
	}
	target := path.Join(f.Dir, string(match[1]))
	if !strings.HasPrefix(target, f.Dir+"/") || !isFile(tree, target) {
		return "", anchor.Invalid("handler_missing", "%s refers to the handler of %s, which does not exist", name, target).
			Hintf(buildAgain)
	}
	return path.Dir(target), nil
}
