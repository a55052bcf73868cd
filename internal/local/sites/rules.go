package sites

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"os"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// fileRules are what a deployment's routing says about its static files. They are computed once,
// when it is deployed.
type fileRules struct {
	Locales []string            `json:"locales,omitempty"`
	Files   map[string]fileRule `json:"files"` // by path below the folder of static files
}

type fileRule struct {
	Ask    bool        `json:"ask,omitempty"`
	Header http.Header `json:"header,omitempty"`
}

// settleRules computes the rules of a deployment and stores them.
func (p *Platform) settleRules(d Description, files []asset.File, note deploy.Note) (fileRules, error) {
	found, err := readFileRules(d)
	if err != nil {
		return fileRules{}, err
	}
	rules := fileRules{Locales: found.Locales(), Files: map[string]fileRule{}}
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
		if rule := found.Of(f.Path); rule.Header != nil || len(rule.Deciders) > 0 {
			rules.Files[f.Path] = fileRule{Ask: found.Asked && len(rule.Deciders) > 0, Header: rule.Header}
		}
	}
	if warning := found.Passed(paths, false).Warning(); warning != "" && !found.Asked {
		note("warning: %s. Build with @opennextjs/aws 3.7 or later, whose functions decide about files", warning)
	}
	for _, warning := range found.Warnings() {
		note("warning: %s", warning)
	}
	return rules, p.dataFolder().writeJSON(p.dataFolder().rulesPath(d.Deployment), rules)
}

func readFileRules(d Description) (*opennext.FileRules, error) {
	found, err := opennext.ReadFileRules(os.DirFS(d.Dir), d.Build)
	if err != nil {
		return nil, fmt.Errorf("read the rules for static files: %w", err)
	}
	return found, nil
}

// readRules reads what settleRules has stored. The rules of a deployment of an Anchor that stored
// none are computed now.
func (p *Platform) readRules(d Description, index *asset.Index) (rules fileRules, err error) {
	err = p.dataFolder().readJSON(p.dataFolder().rulesPath(d.Deployment), &rules)
	if !errors.Is(err, fs.ErrNotExist) {
		return rules, err
	}
	var files []asset.File
	for path := range index.Paths() {
		files = append(files, asset.File{Path: path})
	}
	return p.settleRules(d, files, func(string, ...any) {})
}

// forEdge shares equal rules: headers for "/:path*" apply to every file of a site.
func (r fileRules) forEdge(basePath string) map[string]*edge.Rule {
	rules := make(map[string]*edge.Rule, len(r.Files))
	known := map[string]*edge.Rule{}
	for path, rule := range r.Files {
		text := fmt.Sprint(rule)
		if known[text] == nil {
			known[text] = &edge.Rule{Ask: rule.Ask, Header: rule.Header}
		}
		rules[basePath+"/"+path] = known[text]
	}
	return rules
}

// filesForWorkers returns the files that the functions may name, of the paths below the folder of static
// files. The functions recognize hashed ones by their folder.
func filesForWorkers(basePath string, locales []string, paths iter.Seq[string]) worker.Files {
	files := worker.Files{BasePath: basePath, Locales: locales}
	var below *asset.Index // with paths as they are below that folder
	for path := range paths {
		if !below.Hashed("/" + path) {
			files.Paths = append(files.Paths, basePath+"/"+path)
		}
	}
	return files
}
