package asset

import (
	"context"
	"path"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// mostDeleted is how many keys DeleteObjects accepts.
const mostDeleted = 1000

// listSizes returns the sizes of the objects below prefix, by key.
func (s *Assets) listSizes(ctx context.Context, prefix string) (map[string]int64, error) {
	sizes := map[string]int64{}
	err := s.eachPage(ctx, prefix, func(page []types.Object) error {
		for _, o := range page {
			sizes[sdk.ToString(o.Key)] = sdk.ToInt64(o.Size)
		}
		return nil
	})
	return sizes, err
}

func (s *Assets) eachPage(ctx context.Context, prefix string, do func([]types.Object) error) error {
	pages := s3.NewListObjectsV2Paginator(s.S3, &s3.ListObjectsV2Input{Bucket: &s.AssetsBucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.explainFailure(err, "list", prefix)
		}
		if err := do(page.Contents); err != nil {
			return err
		}
	}
	return nil
}

// listFolders lists the names one step below prefix.
func (s *Assets) listFolders(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	pages := s3.NewListObjectsV2Paginator(s.S3, &s3.ListObjectsV2Input{
		Bucket: &s.AssetsBucket, Prefix: &prefix, Delimiter: sdk.String("/"),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.explainFailure(err, "list", prefix)
		}
		for _, folder := range page.CommonPrefixes {
			names = append(names, path.Base(sdk.ToString(folder.Prefix)))
		}
	}
	return names, nil
}

// erasePrefix deletes all objects below prefix.
func (s *Assets) erasePrefix(ctx context.Context, prefix string) error {
	return s.eachPage(ctx, prefix, func(page []types.Object) error {
		keys := make([]string, len(page))
		for i, o := range page {
			keys[i] = sdk.ToString(o.Key)
		}
		return s.removeKeys(ctx, keys)
	})
}

// removeKeys deletes objects. An object that does not exist counts as deleted.
func (s *Assets) removeKeys(ctx context.Context, keys []string) error {
	for some := range slices.Chunk(keys, mostDeleted) {
		named := make([]types.ObjectIdentifier, len(some))
		for i := range some {
			named[i].Key = &some[i]
		}
		out, err := s.S3.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &s.AssetsBucket, Delete: &types.Delete{Objects: named, Quiet: sdk.Bool(true)},
		})
		if err != nil {
			return s.explainFailure(err, "delete", some[0])
		}
		if len(out.Errors) > 0 {
			first := out.Errors[0]
			return anchor.Failed("objects_not_deleted", "%d of %d objects of the bucket %s could not be deleted, the first is %s: %s %s",
				len(out.Errors), len(some), s.AssetsBucket, sdk.ToString(first.Key), sdk.ToString(first.Code), sdk.ToString(first.Message)).
				Hintf("Run the removal again. Completed steps are not repeated.")
		}
	}
	return nil
}
