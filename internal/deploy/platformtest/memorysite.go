package platformtest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// memorySite is what Memory stores of a deployment.
type memorySite struct {
	id       anchor.DeploymentID
	project  anchor.Project
	build    anchor.Build
	env      map[string]string
	programs map[string]program // by the function's name
	files    map[string]string  // static files by URL path
	cache    map[string]string  // by the path below the build's cache folder
	tags     map[tagKey]int64   // when the tag was revalidated, in Unix milliseconds
}

type tagKey struct{ tag, path string }

// site returns the site of an artifact's deployment and makes it if necessary; m.mu is held.
func (m *Memory) site(a deploy.Artifact) *memorySite {
	s := m.sites[a.Deployment.ID]
	if s == nil {
		s = &memorySite{
			id: a.Deployment.ID, project: a.Project, build: a.Build,
			programs: map[string]program{}, files: map[string]string{}, cache: map[string]string{}, tags: map[tagKey]int64{},
		}
		m.sites[s.id] = s
	}
	return s
}

// checkSite returns an error unless the deployment is stored; m.mu is held.
func (m *Memory) checkSite(id anchor.DeploymentID) error {
	if m.sites[id] == nil {
		return anchor.Failed("files_gone", "the files of deployment %s are missing", id).Hintf("Deploy the same commit again.")
	}
	return nil
}

func (s *memorySite) readAssets(a deploy.Artifact) error {
	return readFiles(a.Dir, a.Build.Assets, func(name, content string) {
		s.files[a.Build.BasePath+"/"+name] = content
	})
}

// publish reads the code of the functions. A function keeps the code and the environment of the
// first call.
func (s *memorySite) publish(a deploy.Artifact, number int) (map[string]anchor.FunctionVersion, error) {
	versions := map[string]anchor.FunctionVersion{}
	for _, f := range a.Build.Functions {
		module, _, _ := strings.Cut(f.Handler, ".")
		source, err := os.ReadFile(filepath.Join(a.Dir, filepath.FromSlash(f.Dir), module+".mjs"))
		if err != nil {
			return nil, fmt.Errorf("read the code of function %s: %w", f.Name, err)
		}
		if s.programs[f.Name] == nil {
			s.programs[f.Name], s.env = readProgram(string(source)), a.Env
		}
		version := strconv.Itoa(number)
		versions[f.Name] = anchor.FunctionVersion{
			Version: version, VersionARN: "arn:test:" + f.Name + ":" + version, CodeSha256: codeSum(a.Manifest, f.Dir),
		}
	}
	return versions, nil
}

// codeSum returns a sum, base64 as Lambda's, of the paths and contents below a folder.
func codeSum(m artifact.Manifest, dir string) string {
	sum := sha256.New()
	for _, f := range m.Sorted().Files {
		if strings.HasPrefix(f.Path, dir+"/") {
			fmt.Fprintf(sum, "%s %s\n", f.Path, f.Digest)
		}
	}
	return base64.StdEncoding.EncodeToString(sum.Sum(nil))
}

// seed adds the entries and tags of the build that the app has not written.
func (s *memorySite) seed(a deploy.Artifact) error {
	err := readFiles(a.Dir, a.Build.Cache, func(name, content string) {
		if _, found := s.cache[name]; !found {
			s.cache[name] = content
		}
	})
	if err != nil || a.Build.TagsFile == "" {
		return err
	}
	rows, err := opennext.TagsOf(os.DirFS(a.Dir), a.Build)
	if err != nil {
		return err
	}
	for _, row := range rows {
		row = row.For(a.Build)
		if key := (tagKey{row.Tag, row.Path}); s.tags[key] == 0 {
			s.tags[key] = row.RevalidatedAt
		}
	}
	return nil
}

// readFiles calls each with the path, below the folder, and the content of every file in the
// folder of a tree. A tree without the folder has no files.
func readFiles(tree, folder string, each func(name, content string)) error {
	if folder == "" {
		return nil
	}
	root := os.DirFS(filepath.Join(tree, filepath.FromSlash(folder)))
	return fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if name == "." && os.IsNotExist(err) {
			return fs.SkipAll
		}
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		each(name, string(content))
		return err
	})
}

// probe requests the front page of a deployment, past the middleware, and refuses functions that
// Memory cannot run; m.mu is held.
func (m *Memory) probe(a deploy.Artifact) error {
	s := m.sites[a.Deployment.ID]
	if s == nil {
		return anchor.Failed("not_published", "deployment %s has no site to probe", a.Deployment.ID)
	}
	for name, p := range s.programs {
		if p == (unknownProgram{}) {
			return anchor.Failed("probe_failed", "function %s of deployment %s is not an app that platformtest.Memory can run", name, s.id).
				Hintf("Deploy an app of platformtest.NewApp.")
		}
	}
	return nil
}
