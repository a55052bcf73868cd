package function

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Revalidation is the name of the function that makes pages render again, in the inputs and
// results of Publish. It does not answer HTTP: messages of the project's queue start it.
const Revalidation = "revalidation"

const (
	revalidationDir   = "revalidation-function"
	revalidationShort = "revalidate"
)

// part is a function of a build, which becomes one function of Lambda.
type part struct {
	bundled
	name       string      // in the build
	function   string      // in Lambda
	http       bool        // it has URLs, and our entry in front
	warmer     bool        // OpenNext's code in the bundle answers the events of its warmer
	middleware *middleware // runs before it; nil if there is none
}

// bundled is a folder of the tree that OpenNext built to run.
type bundled struct {
	dir     string
	handler string          // "index.handler", the bundle's own
	files   []artifact.File // with their paths in dir
}

// deploymentAlias is the alias that refers to a deployment's version.
func deploymentAlias(d anchor.DeploymentID) string { return "d-" + string(d) }

// AliasOf returns the name of the alias by which requests reach a deployment in particular.
func AliasOf(d anchor.DeploymentID) string { return deploymentAlias(d) }

// NameOf returns the name in Lambda of a project's function, by its name in the build.
func (f *Functions) NameOf(p anchor.Project, name string) string { return f.functionName(p, name) }

// namePrefix is the prefix of the names of all functions of a project.
func (f *Functions) namePrefix(p anchor.Project) string { return f.Installation + "-" + p.Slug + "-" }

// projectMark is the description of a project's functions, by which they are found.
func projectMark(p anchor.ProjectID) string { return "Anchor project " + string(p) }

func (f *Functions) tagsOf(p anchor.Project) map[string]string {
	return map[string]string{"Project": p.Slug, "ManagedBy": "anchor-deploy", "Installation": f.Installation}
}

// partsOf returns the functions of an artifact, in the build's order. External middleware is not
// one of them, but a part of each that renders.
func (f *Functions) partsOf(a deploy.Artifact) []part {
	var parts []part
	sorted := a.Manifest.Sorted().Files
	before := middlewareOf(a.Build, sorted)
	add := func(name, dir, handler string) *part {
		parts = append(parts, part{
			bundled: bundled{dir: dir, handler: handler, files: filesBelow(sorted, dir)},
			name:    name, function: f.functionName(a.Project, name),
		})
		return &parts[len(parts)-1]
	}
	for _, fn := range a.Build.Functions {
		if fn.Edge {
			continue
		}
		p := add(fn.Name, fn.Dir, fn.Handler)
		p.http, p.warmer = true, a.Build.Warmer
		if !fn.Image {
			p.middleware = before
		}
	}
	if len(filesBelow(sorted, revalidationDir)) > 0 {
		add(Revalidation, revalidationDir, "index.handler")
	}
	return parts
}

// filesBelow returns the files in a folder, with their paths in it. files are sorted by path, and it
// reads no others: a manifest may name as many folders as files.
func filesBelow(sorted []artifact.File, dir string) []artifact.File {
	first, _ := slices.BinarySearchFunc(sorted, dir+"/", func(f artifact.File, path string) int { return strings.Compare(f.Path, path) })
	var files []artifact.File
	for _, file := range sorted[first:] {
		rest, found := strings.CutPrefix(file.Path, dir+"/")
		if !found {
			break
		}
		file.Path = rest
		files = append(files, file)
	}
	return files
}

var notName = regexp.MustCompile(`[^a-zA-Z0-9-_]`)

func (f *Functions) functionName(p anchor.Project, name string) string {
	if set := f.Names[name]; set != "" {
		return set
	}
	short := notName.ReplaceAllString(name, "-")
	switch name {
	case anchor.ServerFunction:
		short = "server"
	case anchor.ImageFunction:
		short = "image"
	case Revalidation:
		short = revalidationShort
	}
	return f.namePrefix(p) + short
}

// nameOf returns the build's name of one of the project's functions in Lambda.
func (f *Functions) nameOf(p anchor.Project, function string) string {
	for name, set := range f.Names {
		if set == function {
			return name
		}
	}
	switch short := strings.TrimPrefix(function, f.namePrefix(p)); short {
	case "server":
		return anchor.ServerFunction
	case "image":
		return anchor.ImageFunction
	case revalidationShort:
		return Revalidation
	default:
		return short
	}
}

// handlerModule returns the file of the bundle's handler and the name that it exports it by.
func (b bundled) handlerModule() (file, export string) {
	dot := strings.LastIndexByte(b.handler, '.')
	stem := b.handler[:max(dot, 0)]
	for _, extension := range []string{".mjs", ".js", ".cjs"} {
		name := path.Clean(stem + extension)
		if slices.ContainsFunc(b.files, func(f artifact.File) bool { return f.Path == name }) {
			return name, b.handler[dot+1:]
		}
	}
	return stem + ".mjs", b.handler[dot+1:]
}

// unpackedSize returns how much Lambda unpacks, in bytes.
func (p part) unpackedSize() int64 {
	total := artifact.Manifest{Files: p.files}.Size()
	if p.middleware != nil {
		total += artifact.Manifest{Files: p.middleware.files}.Size()
	}
	if p.http {
		for _, file := range entryFiles(p) {
			total += int64(len(file.content))
		}
	}
	return total
}
