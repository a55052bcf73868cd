package sites

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
)

// Upload indexes the deployment's static files and creates the missing compressed variants. The
// files themselves arrived with the artifact and are served from where they are.
func (p *Platform) Upload(ctx context.Context, a deploy.Artifact, note deploy.Note) error {
	d := p.describeArtifact(a)
	files := assetFiles(a)
	index, err := asset.Build(ctx, p.assetPlace(d), asset.BuildOptions{
		Prefix:  a.Build.BasePath,
		ModTime: timeStamp(a.Deployment.CreatedAt),
	}, files)
	if err != nil {
		return fmt.Errorf("index the static files: %w", err)
	}
	var text bytes.Buffer
	if err := index.Encode(&text); err != nil {
		return fmt.Errorf("encode the index of static files: %w", err)
	}
	if err := atomicfile.WriteFile(p.dataFolder().indexPath(d.Deployment), text.Bytes(), 0o600); err != nil {
		return err
	}
	note("%d static files", len(files))
	_, err = p.settleRules(d, files, note)
	return err
}

// AssetsPath implements deploy.Assets. The path is that of the files' folder in an installation on
// AWS; here the files stay in the artifact.
func (p *Platform) AssetsPath(d anchor.Deployment) string { return "deployments/" + string(d.ID) }

func assetFiles(a deploy.Artifact) []asset.File {
	prefix := a.Build.Assets + "/"
	var files []asset.File
	for _, f := range a.Manifest.Files {
		if below, found := strings.CutPrefix(f.Path, prefix); found && f.Link == "" && opennext.IsPublic(below) {
			files = append(files, asset.File{Path: below, Digest: string(f.Digest), Size: f.Size})
		}
	}
	return files
}

// sharedAssets returns what the indexes of a project's deployments share.
func (p *Platform) sharedAssets(project anchor.ProjectID) *asset.Shared {
	shared, _ := p.shared.LoadOrStore(project, &asset.Shared{})
	return shared.(*asset.Shared)
}

func (p *Platform) assetPlace(d Description) asset.Place {
	return asset.Place{
		Shared:   p.sharedAssets(d.Project),
		Root:     filepath.Join(d.Dir, filepath.FromSlash(d.Build.Assets)),
		Variants: filepath.Join(p.Dir, "variants"),
		Memory:   p.memory,
	}
}

func (p *Platform) readIndex(d Description) (*asset.Index, error) {
	in, err := os.Open(p.dataFolder().indexPath(d.Deployment))
	if err != nil {
		return nil, fmt.Errorf("read the index of static files: %w", err)
	}
	defer in.Close()
	return asset.Decode(in, p.assetPlace(d))
}

// findOriginal finds the file for a key that the image function requests (OpenNext's s3 image loader:
// the URL's path without the leading slash). A file that the app's rules decide about is an
// original only where they allow a visitor without credentials to get it: Next.js fetches originals
// with such a request (server/image-optimizer.js).
func (p *Platform) findOriginal(ns, key string) (awswire.Asset, bool) {
	s := p.siteByName(ns)
	if s == nil {
		return awswire.Asset{}, false
	}
	base := strings.TrimPrefix(s.Build.BasePath+"/", "/")
	path := "/" + base + strings.TrimPrefix(key, base)
	found, ok := s.edge.Assets.Lookup(path)
	if rule := s.edge.Rules[path]; ok && rule != nil && rule.Ask {
		ctx, cancel := context.WithTimeout(context.Background(), p.ProbeLimit)
		defer cancel()
		r, err := p.newRequest(ctx, s, http.MethodHead, (&url.URL{Path: path}).EscapedPath())
		if err != nil {
			return awswire.Asset{}, false
		}
		found, ok = p.Edge.Named(s.edge, r)
	}
	if !ok {
		return awswire.Asset{}, false
	}
	return awswire.Asset{
		Path:         filepath.Join(s.Dir, filepath.FromSlash(s.Build.Assets), filepath.FromSlash(found.Path())),
		ContentType:  found.ContentType(),
		CacheControl: found.CacheControl(),
	}, true
}
