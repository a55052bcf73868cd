// Package artifacts stores uploaded artifacts in S3: manifests by deployment, contents by digest,
// so that a content of any project is stored and sent once. The layout of the bucket:
//
//	files/<sha256>                        contents, never overwritten with another
//	manifests/<deploymentId>.json         artifact.Manifest
//	artifacts/<projectId>/<commitSha>/    what a build pipeline left, for Import
//
// Trees are laid out on the local disk by an artifact.Store. It also keeps what was downloaded,
// so that an interrupted Unpack continues from there.
package artifacts

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// parallel is how many calls to S3 run concurrently. A call for a small file takes some 50 ms and
// hardly any bandwidth.
const parallel = 64

// Config holds what a Store works with. S3, Bucket and Dir are required.
type Config struct {
	S3     *s3.Client
	Bucket string
	Dir    string          // scratch on the local disk; no other store uses it
	Limits artifact.Limits // artifact.DefaultLimits when zero
	Log    *slog.Logger    // slog.Default() when nil
}

// Store implements deploy.Bundles. Its methods may be called concurrently, and from several
// processes if each has its own Dir.
type Store struct {
	Config
	scratch *artifact.Store
	presign *s3.PresignClient

	// importing keeps Discard from contents that no manifest names yet.
	importing sync.RWMutex
	complete  sync.Map // deployment -> when Missing last returned none; until Sync
}

// Open prepares the scratch folder. It does not call S3.
func Open(c Config) (*Store, error) {
	if c.Limits == (artifact.Limits{}) {
		c.Limits = artifact.DefaultLimits
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	scratch, err := artifact.Open(c.Dir)
	if err != nil {
		return nil, err
	}
	scratch.Limits = c.Limits
	return &Store{Config: c, scratch: scratch, presign: s3.NewPresignClient(c.S3, s3.WithPresignExpires(lifetime))}, nil
}

// Close closes the scratch folder.
func (s *Store) Close() error { return s.scratch.Close() }

func fileKey(d artifact.Digest) string          { return "files/" + string(d) }
func manifestKey(id anchor.DeploymentID) string { return "manifests/" + string(id) + ".json" }
func (s *Store) objectURI(key string) string    { return "s3://" + s.Bucket + "/" + key }
func isStatus(err error, status int) bool       { return statusOf(err) == status }
func (s *Store) missingError(d artifact.Digest, e error) error {
	return anchor.Invalid("content_missing", "the content %s was never sent", d).Because(e).
		Hintf("Request the list of missing files, upload them, and finish again.")
}

// SaveManifest stores m as the manifest of id, which never changes. Saving the same manifest
// again is allowed; another one is a Conflict. It checks m against the store's limits.
func (s *Store) SaveManifest(ctx context.Context, id anchor.DeploymentID, m artifact.Manifest) error {
	if err := artifact.CheckID(id); err != nil {
		return err
	}
	if err := m.Check(s.Limits); err != nil {
		return err
	}
	written, err := s.putNew(ctx, manifestKey(id), m.Encode())
	if written || err != nil {
		return err
	}
	before, err := s.Manifest(ctx, id)
	if err != nil {
		return err
	}
	if before.Digest() != m.Digest() {
		return anchor.Conflict("manifest_exists", "the deployment %s already has another manifest", id).
			Hintf("Start a new deployment for other files.")
	}
	return nil
}

// Manifest returns what SaveManifest stored for id, or ErrNotFound.
func (s *Store) Manifest(ctx context.Context, id anchor.DeploymentID) (artifact.Manifest, error) {
	if err := artifact.CheckID(id); err != nil {
		return artifact.Manifest{}, err
	}
	data, err := s.readObject(ctx, manifestKey(id))
	if isStatus(err, http.StatusNotFound) {
		return artifact.Manifest{}, anchor.NotFound("no_manifest", "the deployment %s has no manifest", id).
			Hintf("Send the manifest before the files.")
	}
	if err != nil {
		return artifact.Manifest{}, err
	}
	var m artifact.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return artifact.Manifest{}, anchor.Failed("manifest_damaged", "%s cannot be read", s.objectURI(manifestKey(id))).
			Because(err).Hintf("Something else wrote to the bucket. Deploy again.")
	}
	return m, nil
}

// Remove deletes a deployment's manifest and the folder that Unpack made here. Its contents stay
// until Collect. A deployment without these is not an error.
func (s *Store) Remove(ctx context.Context, id anchor.DeploymentID) error {
	if err := artifact.CheckID(id); err != nil {
		return err
	}
	_, err := s.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: sdk.String(manifestKey(id))})
	if err != nil {
		return s.explainFailure(err, "DeleteObject", manifestKey(id))
	}
	return s.Discard(ctx, id)
}

// Discard deletes from the local disk what Unpack and Import stored for a deployment.
func (s *Store) Discard(ctx context.Context, id anchor.DeploymentID) error {
	if err := s.scratch.Remove(ctx, id); err != nil {
		return err
	}
	s.importing.Lock()
	defer s.importing.Unlock()
	_, err := s.scratch.Collect(ctx, 0)
	return err
}
