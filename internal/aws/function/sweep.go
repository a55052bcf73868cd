package function

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"path"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// SweepCode deletes the project's zips that arrived longer ago than unusedSince and that no
// version of its functions was made of. Lambda has its own copy, so only a deployment of the same
// code could use them. It holds the project's lease, under which zips are uploaded and used. The
// error is of KindBusy while another holder has it.
func (f *Functions) SweepCode(ctx context.Context, p anchor.Project, unusedSince time.Duration) error {
	old, err := f.codeBefore(ctx, p.ID, time.Now().Add(-unusedSince))
	if len(old) == 0 || err != nil {
		return explainFailure(err, "list the code of project %s in the bucket %s", p.Slug, f.ArtifactsBucket)
	}
	_, release, err := f.Leases.Lease(ctx, p.ID, "sweep."+anchor.NewID(), f.leaseTTL)
	if errors.Is(err, anchor.ErrConflict) {
		return (&anchor.Error{Kind: anchor.KindBusy, Code: "deploying", Message: "project " + p.Slug + " is being deployed", Err: err}).
			Hintf("Repeat the request when it has ended.")
	}
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, f.leaseTTL) // the lease is not renewed
	defer cancel()
	err = f.removeUnused(bounded, p, old)
	return errors.Join(explainFailure(err, "sweep the code of project %s", p.Slug), release(context.WithoutCancel(ctx)))
}

func (f *Functions) removeUnused(ctx context.Context, p anchor.Project, old map[string]string) error {
	functions, err := f.listFunctions(ctx, p)
	if err != nil {
		return err
	}
	for _, function := range functions {
		if err := f.forgetUsed(ctx, function, old); err != nil {
			return err
		}
	}
	var objects []s3types.ObjectIdentifier
	for _, key := range old {
		objects = append(objects, s3types.ObjectIdentifier{Key: sdk.String(key)})
	}
	return f.removeObjects(ctx, objects)
}

// forgetUsed removes from old, keys by CodeSha256, what versions are made of; $LATEST is one of
// them.
func (f *Functions) forgetUsed(ctx context.Context, function string, old map[string]string) error {
	pages := lambda.NewListVersionsByFunctionPaginator(f.Lambda, &lambda.ListVersionsByFunctionInput{FunctionName: &function})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isMissing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, v := range page.Versions {
			delete(old, sdk.ToString(v.CodeSha256))
		}
	}
	return nil
}

// codeBefore returns the keys of the zips that arrived before the time, by their CodeSha256.
func (f *Functions) codeBefore(ctx context.Context, p anchor.ProjectID, before time.Time) (map[string]string, error) {
	old := map[string]string{}
	pages := s3.NewListObjectsV2Paginator(f.S3, &s3.ListObjectsV2Input{
		Bucket: &f.ArtifactsBucket, Prefix: sdk.String(path.Join("functions", string(p)) + "/"),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, object := range page.Contents {
			key := sdk.ToString(object.Key)
			sum, err := hex.DecodeString(strings.TrimSuffix(path.Base(key), ".zip"))
			if err == nil && object.LastModified.Before(before) {
				old[base64.StdEncoding.EncodeToString(sum)] = key
			}
		}
	}
	return old, nil
}
