package opennext

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// nextBuild is what Next.js records of the build.
type nextBuild struct {
	buildID       string
	deploymentID  string // deploymentId of next.config, "" without
	basePath      string
	previewModeID string
	images        anchor.Images
}

// cacheBuild names the entries of this build in the cache, as the functions do
// (adapters/config/index.js: OPEN_NEXT_BUILD_ID = deploymentId ?? BuildId).
func (n nextBuild) cacheBuild() string {
	if n.deploymentID != "" {
		return n.deploymentID
	}
	return n.buildID
}

// nextHomes are the folders in which Next.js's own files may be: that of the image
// function, whose .next is at its root in all layouts, then the server function's.
func nextHomes(tree fs.FS, b anchor.Build) ([]string, error) {
	homes := []string{path.Join(imageDir, ".next")}
	if server, ok := b.Function(anchor.ServerFunction); ok {
		home, err := bundleHome(tree, server)
		if err != nil {
			return nil, err
		}
		homes = append(homes, path.Join(home, ".next"))
	}
	return homes, nil
}

// readNext reads Next.js's own files from all their folders, and from those that only one
// layout has.
func readNext(tree fs.FS, b anchor.Build) (nextBuild, error) {
	homes, err := nextHomes(tree, b)
	if err != nil {
		return nextBuild{}, err
	}
	var next nextBuild
	if err := next.readBuildID(tree, append([]string{assetsDir}, homes...)); err != nil {
		return nextBuild{}, err
	}
	if err := next.readConfig(tree, homes); err != nil {
		return nextBuild{}, err
	}
	return next, next.readPreview(tree, append([]string{revalidationDir}, homes...))
}

// buildIDPattern keeps the id usable as a folder of the cache and in S3 keys.
var buildIDPattern = regexp.MustCompile(`^[A-Za-z0-9_~.+@=-]{1,200}$`)

func checkBuildID(what, id string) error {
	if buildIDPattern.MatchString(id) && strings.Trim(id, ".") != "" {
		return nil
	}
	return anchor.Invalid("bad_build_id", "the %s %q cannot name a folder", what, id).
		Hintf("In next.config, generateBuildId and deploymentId may return at most 200 letters, digits and _~.+@=- characters.")
}

func (n *nextBuild) readBuildID(tree fs.FS, homes []string) error {
	for _, home := range homes {
		data, err := readFile(tree, path.Join(home, "BUILD_ID"), maxText)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		n.buildID = strings.TrimSpace(string(data))
		return checkBuildID("BUILD_ID", n.buildID)
	}
	return anchor.Invalid("no_build_id", "the build has no BUILD_ID file").Hintf(buildAgain)
}

// basePathPattern is what next.config takes for basePath: "" or "/docs", without a
// slash at its end (next/dist/server/config.js).
var basePathPattern = regexp.MustCompile(`^(/[^/\s*?\\#]+)*$`)

func (n *nextBuild) readConfig(tree fs.FS, homes []string) error {
	for _, home := range homes {
		name := path.Join(home, "required-server-files.json")
		var file struct {
			Config struct {
				BasePath     string `json:"basePath"`
				AssetPrefix  string `json:"assetPrefix"`
				DeploymentID string `json:"deploymentId"`
				Images       struct {
					SecurityPolicy string `json:"contentSecurityPolicy"`
					Disposition    string `json:"contentDispositionType"`
				} `json:"images"`
			} `json:"config"`
		}
		err := readJSON(tree, name, maxManifest, &file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		n.basePath, n.deploymentID = file.Config.BasePath, file.Config.DeploymentID
		n.images = anchor.Images(file.Config.Images)
		if !basePathPattern.MatchString(n.basePath) {
			return anchor.Invalid("bad_base_path", "%s has the basePath %q", name, n.basePath).
				Hintf(`Write it like "/docs" in next.config.`)
		}
		if err := checkAssetPrefix(file.Config.AssetPrefix, n.basePath); err != nil {
			return err
		}
		if n.deploymentID == "" {
			return nil
		}
		return checkBuildID("deploymentId", n.deploymentID)
	}
	return anchor.Invalid("no_next_config", "the build has no required-server-files.json").Hintf(buildAgain)
}

var absoluteURL = regexp.MustCompile(`^(?i:https?:)?//`)

// checkAssetPrefix refuses a prefix that leads to this site but to none of its files: pages
// request <assetPrefix>/_next/static/*, and OpenNext puts those files below the basePath alone
// (createAssets.js). Next.js's own server would rewrite them (load-custom-routes.js). It sets
// the basePath as the prefix when there is no other.
func checkAssetPrefix(prefix, basePath string) error {
	if prefix == "" || strings.TrimSuffix(prefix, "/") == basePath || absoluteURL.MatchString(prefix) {
		return nil
	}
	return anchor.Invalid("asset_prefix", "assetPrefix in next.config is %q: pages would ask for their scripts and styles at %s/_next, and OpenNext's build has none there", prefix, strings.TrimSuffix(prefix, "/")).
		Hintf("Remove assetPrefix from next.config and build again. To serve the whole app below a path, set basePath; a prefix may be the URL of a CDN of your own.")
}

func (n *nextBuild) readPreview(tree fs.FS, homes []string) error {
	for _, home := range homes {
		var manifest struct {
			Preview struct {
				ID string `json:"previewModeId"`
			} `json:"preview"`
		}
		err := readJSON(tree, path.Join(home, "prerender-manifest.json"), maxManifest, &manifest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if n.previewModeID = manifest.Preview.ID; n.previewModeID != "" {
			return nil
		}
	}
	return nil
}
