package asset

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// index lists the project's shared files that a deployment uses. Every deployment has an index,
// even if it uses none: RemoveProject finds the deployments by it.
type index struct {
	Shared []string `json:"shared"` // keys below assets/<projectId>/
}

func (s *Assets) writeIndex(ctx context.Context, a deploy.Artifact, shared []object) error {
	in := index{Shared: make([]string, len(shared))}
	for i, o := range shared {
		in.Shared[i] = strings.TrimPrefix(o.key, sharedPrefix(a.Project.ID))
	}
	text, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the index of hashed files: %w", err)
	}
	key := indexKey(a.Project.ID, a.Deployment.ID)
	_, err = s.S3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.AssetsBucket, Key: &key, Body: bytes.NewReader(text), ContentType: sdk.String("application/json"),
	})
	if err != nil {
		return s.explainFailure(err, "put the index of hashed files", key)
	}
	return nil
}

// listIndexed lists the deployments that have an index.
func (s *Assets) listIndexed(ctx context.Context, p anchor.ProjectID) ([]anchor.DeploymentID, error) {
	keys, err := s.listSizes(ctx, indexPrefix(p))
	if err != nil {
		return nil, err
	}
	var ids []anchor.DeploymentID
	for key := range keys {
		if id, ok := strings.CutSuffix(path.Base(key), indexSuffix); ok {
			ids = append(ids, anchor.DeploymentID(id))
		}
	}
	return ids, nil
}

// listUsed returns the keys of the shared files that deployments other than d use.
func (s *Assets) listUsed(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) (map[string]bool, error) {
	ids, err := s.listIndexed(ctx, p)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	keys := map[string]bool{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(Parallel)
	for _, id := range ids {
		if id == d {
			continue
		}
		g.Go(func() error {
			in, err := s.readIndex(ctx, indexKey(p, id))
			mu.Lock()
			defer mu.Unlock()
			for _, name := range in.Shared {
				keys[sharedPrefix(p)+name] = true
			}
			return err
		})
	}
	return keys, g.Wait()
}

// readIndex returns an empty index when the deployment was removed after it was listed.
func (s *Assets) readIndex(ctx context.Context, key string) (in index, err error) {
	out, err := s.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.AssetsBucket, Key: &key})
	if awserr.Is(err, "NoSuchKey") {
		return in, nil
	}
	if err != nil {
		return in, s.explainFailure(err, "get the index of hashed files", key)
	}
	defer out.Body.Close()
	// Read to the end: otherwise the connection is lost and the SDK warns of a wrong checksum.
	text, err := io.ReadAll(out.Body)
	if err != nil {
		return in, s.explainFailure(err, "get the index of hashed files", key)
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return in, anchor.Failed("bad_index", "the index s3://%s/%s cannot be read", s.AssetsBucket, key).Because(err).
			Hintf("Deploy that deployment again to rewrite it. Anchor deletes no shared file before that.")
	}
	return in, nil
}
