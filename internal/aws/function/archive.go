package function

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// code is a function's zip in the artifacts bucket.
type code struct {
	sum string // base64 of the SHA-256, as Lambda's CodeSha256
	key string
}

// uploadZip puts the function's zip into the artifacts bucket under its digest, unless it exists. It
// packs the zip on disk first, because only then its name is known and a failed call can be
// repeated.
func (f *Functions) uploadZip(ctx context.Context, project anchor.ProjectID, dir string, p part) (code, error) {
	file, err := os.CreateTemp("", "anchor-function-*.zip")
	if err != nil {
		return code{}, fmt.Errorf("pack function %s: %w", p.name, err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	sum := sha256.New()
	if err := packZip(ctx, io.MultiWriter(file, sum), dir, p); err != nil {
		return code{}, fmt.Errorf("pack function %s: %w", p.name, err)
	}
	digest := sum.Sum(nil)
	c := code{
		sum: base64.StdEncoding.EncodeToString(digest),
		key: path.Join("functions", string(project), hex.EncodeToString(digest)+".zip"),
	}
	_, err = f.S3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &f.ArtifactsBucket, Key: &c.key})
	var missing *s3types.NotFound
	switch {
	case err == nil:
		return c, nil
	case !errors.As(err, &missing):
		return code{}, explainFailure(err, "look for the code of function %s in the bucket %s", p.name, f.ArtifactsBucket)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return code{}, fmt.Errorf("pack function %s: %w", p.name, err)
	}
	_, err = f.S3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &f.ArtifactsBucket, Key: &c.key, Body: file,
		ContentType: sdk.String("application/zip"), ChecksumSHA256: &c.sum,
	})
	return c, explainFailure(err, "upload the code of function %s to the bucket %s", p.name, f.ArtifactsBucket)
}

// epoch is the time of every file in a zip, the earliest that the format can express: equal trees
// make equal zips.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// packZip writes the function's zip: the bundle's files in their order with their modes, links as
// links, the middleware's files in their own folder, and our entry.
func packZip(ctx context.Context, w io.Writer, dir string, p part) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	archive := zip.NewWriter(w)
	if err := packFiles(ctx, archive, root, p.bundled, ""); err != nil {
		return err
	}
	if p.middleware != nil {
		if err := packFiles(ctx, archive, root, p.middleware.bundled, middlewareFolder); err != nil {
			return err
		}
	}
	if p.http {
		for _, own := range entryFiles(p) {
			out, err := archive.CreateHeader(zipHeader(own.name, 0o644))
			if err != nil {
				return err
			}
			if _, err := io.WriteString(out, own.content); err != nil {
				return err
			}
		}
	}
	return archive.Close()
}

// packFiles adds the files of b to a folder of the zip.
func packFiles(ctx context.Context, archive *zip.Writer, root *os.Root, b bundled, folder string) error {
	for _, file := range b.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := packFile(archive, root, path.Join(b.dir, file.Path), path.Join(folder, file.Path), file); err != nil {
			return err
		}
	}
	return nil
}

// packFile adds the file at from in the tree under the name to.
func packFile(archive *zip.Writer, root *os.Root, from, to string, file artifact.File) error {
	mode := fs.FileMode(0o644)
	switch {
	case file.Link != "":
		mode = fs.ModeSymlink | 0o777
	case file.Exec:
		mode = 0o755
	}
	out, err := archive.CreateHeader(zipHeader(to, mode))
	if err != nil {
		return err
	}
	if file.Link != "" {
		_, err := io.WriteString(out, file.Link)
		return err
	}
	in, err := root.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}

func zipHeader(name string, mode fs.FileMode) *zip.FileHeader {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: epoch}
	h.SetMode(mode)
	return h
}
