package asset

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/artifact/staticfile"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// object is a file of the artifact and the key that it is stored under.
type object struct {
	key    string
	file   string // in the artifact's tree
	size   int64
	digest artifact.Digest

	contentType  string
	cacheControl string
	encoding     string // Content-Encoding of a file that is stored encoded

	once  bool // others may write the key too: the first object stays
	fixed bool // the name does not depend on the content: it is below a BUILD_ID, not hashed
}

// sha256Text returns the digest in the form of S3's checksums.
func (o object) sha256Text() string {
	sum, err := hex.DecodeString(string(o.digest))
	if err != nil { // S3 refuses it by name, and the manifest's Check did so before
		return string(o.digest)
	}
	return base64.StdEncoding.EncodeToString(sum)
}

// staticObjects lists the deployment's static files with their keys: the shared ones of the project, and
// the deployment's own.
func staticObjects(a deploy.Artifact) (shared, own []object, err error) {
	base := basePrefix(a.Build)
	for _, f := range a.Manifest.Files {
		name, below := strings.CutPrefix(f.Path, a.Build.Assets+"/")
		if !below || f.Link != "" || !opennext.IsPublic(name) {
			continue
		}
		o := object{
			key: deploymentPrefix(a.Project.ID, a.Deployment.ID) + base + name, file: f.Path, size: f.Size, digest: f.Digest,
			contentType: staticfile.MediaType(name), cacheControl: staticfile.CacheControl(name),
			encoding: staticfile.ContentEncoding(name),
		}
		hashed := strings.HasPrefix(name, staticfile.HashedFolder)
		if !hashed || isOriginal(a.Build, name, o.contentType) {
			own = append(own, o)
		}
		if hashed {
			o.key = sharedPrefix(a.Project.ID) + base + name
			o.once = true
			o.fixed = strings.HasPrefix(name, staticfile.HashedFolder+a.Build.BuildID+"/")
			shared = append(shared, o)
		}
	}
	return shared, own, checkKeys(slices.Concat(shared, own))
}

// isOriginal reports whether a file is an imported picture. Pages request these through
// next/image, whose function looks for every original below one prefix, the deployment's.
func isOriginal(b anchor.Build, name, contentType string) bool {
	_, optimizes := b.Function(anchor.ImageFunction)
	return optimizes && strings.HasPrefix(name, staticfile.HashedFolder+"media/") && strings.HasPrefix(contentType, "image/")
}

// seedObjects lists the initial entries of the incremental cache.
func seedObjects(a deploy.Artifact) ([]object, error) {
	files, err := opennext.CacheFiles(os.DirFS(a.Dir), a.Build)
	if err != nil {
		return nil, err
	}
	listed := make(map[string]artifact.File, len(a.Manifest.Files))
	for _, f := range a.Manifest.Files {
		listed[f.Path] = f
	}
	objects := make([]object, 0, len(files))
	for _, f := range files {
		in, ok := listed[f.Path]
		if !ok {
			return nil, anchor.Failed("file_not_listed", "%s is in the unpacked artifact and not in its manifest", f.Path).
				Hintf("Deploy again; something wrote to the unpacked artifact.")
		}
		objects = append(objects, object{
			key: cachePrefix(a.Project.ID, a.Deployment.ID) + f.Key, file: f.Path, size: in.Size, digest: in.Digest, once: true,
		})
	}
	return objects, checkKeys(objects)
}

func checkKeys(objects []object) error {
	for _, o := range objects {
		if over := len(o.key) - longestKey; over > 0 {
			return anchor.Invalid("name_too_long", "%s cannot be stored: its key in S3 would be %d bytes too long", o.file, over).
				Hintf("Shorten the path.")
		}
	}
	return nil
}
