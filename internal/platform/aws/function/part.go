package function

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/bundle"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Revalidation names the function that asks pages to render themselves again, in what
// Publish takes and gives. It answers no HTTP: messages of the project's queue start it.
const Revalidation = "revalidation"

const (
	revalidationDir   = "revalidation-function"
	revalidationShort = "revalidate"
)

// part is one function of a build and of Lambda.
type part struct {
	name     string // as the build calls it
	function string // as Lambda does
	dir      string // its bundle in the tree
	handler  string // "index.handler", the bundle's own
	http     bool   // it has URLs, and our entry before it
	files    []bundle.File
}

// deploymentAlias is the alias that keeps a deployment's version.
func deploymentAlias(d anchor.DeploymentID) string { return "d-" + string(d) }

// prefix begins the names of all functions of a project.
func (f *Functions) prefix(p anchor.Project) string { return f.Installation + "-" + p.Slug + "-" }

// mark is the description of a project's functions: they are found again by it.
func mark(p anchor.ProjectID) string { return "Anchor project " + string(p) }

func (f *Functions) tags(p anchor.Project) map[string]string {
	return map[string]string{"Project": p.Slug, "ManagedBy": "anchor-deploy", "Installation": f.Installation}
}

// parts gives the functions of an artifact, in the build's order. External middleware is
// none: Check refuses it.
func (f *Functions) parts(a deploy.Artifact) []part {
	var parts []part
	sorted := a.Manifest.Sorted().Files
	add := func(name, dir, handler string, http bool) {
		parts = append(parts, part{
			name: name, function: f.functionName(a.Project, name), dir: dir, handler: handler, http: http,
			files: below(sorted, dir),
		})
	}
	for _, fn := range a.Build.Functions {
		if !fn.Edge {
			add(fn.Name, fn.Dir, fn.Handler, true)
		}
	}
	if len(below(sorted, revalidationDir)) > 0 {
		add(Revalidation, revalidationDir, "index.handler", false)
	}
	return parts
}

// below gives those of the files, which are sorted by path, that lie in a folder, with
// their paths in it. It looks at no others: a manifest may name as many folders as files.
func below(sorted []bundle.File, dir string) []bundle.File {
	first, _ := slices.BinarySearchFunc(sorted, dir+"/", func(f bundle.File, path string) int { return strings.Compare(f.Path, path) })
	var files []bundle.File
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
	short := notName.ReplaceAllString(name, "-")
	switch name {
	case anchor.ServerFunction:
		short = "server"
	case anchor.ImageFunction:
		short = "image"
	case Revalidation:
		short = revalidationShort
	}
	return f.prefix(p) + short
}

// nameOf is the build's name of one of the project's functions in Lambda.
func (f *Functions) nameOf(p anchor.Project, function string) string {
	switch short := strings.TrimPrefix(function, f.prefix(p)); short {
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

// module gives the file of the bundle's handler and the name it exports it by.
func (p part) module() (file, export string) {
	dot := strings.LastIndexByte(p.handler, '.')
	stem := p.handler[:max(dot, 0)]
	for _, extension := range []string{".mjs", ".js", ".cjs"} {
		name := path.Clean(stem + extension)
		if slices.ContainsFunc(p.files, func(f bundle.File) bool { return f.Path == name }) {
			return name, p.handler[dot+1:]
		}
	}
	return stem + ".mjs", p.handler[dot+1:]
}

// size is how much Lambda unpacks, in bytes.
func (p part) size() int64 {
	total := bundle.Manifest{Files: p.files}.Size()
	if p.http {
		for _, file := range entryFiles(p) {
			total += int64(len(file.content))
		}
	}
	return total
}
