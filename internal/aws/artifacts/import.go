package artifacts

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// archiveName is the name, below its path, of the archive that a build pipeline leaves.
const archiveName = "open-next.tar.gz"

// Import stores what a build pipeline left at path, with the same manifest and contents as an
// upload of the same tree. path is a key prefix of the bucket or its s3:// URI,
// artifacts/<projectId>/<commitSha>/. Below it is either open-next.tar.gz or the tree's files
// themselves, which then have neither links nor modes. A second Import for id does only what the
// first left undone.
func (s *Store) Import(ctx context.Context, id anchor.DeploymentID, path string) (artifact.Manifest, error) {
	if err := artifact.CheckID(id); err != nil {
		return artifact.Manifest{}, err
	}
	prefix, err := s.checkPrefix(path)
	if err != nil {
		return artifact.Manifest{}, err
	}
	if m, done, err := s.isImported(ctx, id); done || err != nil {
		return m, err
	}
	s.importing.RLock()
	defer s.importing.RUnlock()
	m, err := s.fetchTree(ctx, prefix)
	if err != nil {
		return artifact.Manifest{}, err
	}
	if err := s.SaveManifest(ctx, id, m); err != nil {
		return artifact.Manifest{}, err
	}
	return m, s.sendAll(ctx, m)
}

// checkPrefix accepts paths below artifacts/ of this bucket only.
func (s *Store) checkPrefix(path string) (string, error) {
	key := path
	if rest, isURI := strings.CutPrefix(path, "s3://"); isURI {
		var bucket string
		if bucket, key, _ = strings.Cut(rest, "/"); bucket != s.Bucket {
			return "", anchor.Invalid("bad_artifact_path", "the artifact %q is not in the bucket %s", path, s.Bucket).
				Hintf("Upload it to s3://%s/artifacts/<projectId>/<commitSha>/.", s.Bucket)
		}
	}
	key = strings.TrimSuffix(strings.TrimPrefix(key, "/"), "/")
	if err := artifact.CheckPath(key); err != nil || !strings.HasPrefix(key, "artifacts/") {
		return "", anchor.Invalid("bad_artifact_path", "%q is not the path of an artifact", path).Because(err).
			Hintf("It looks like artifacts/<projectId>/<commitSha>/.")
	}
	return key + "/", nil
}

// isImported reports whether an earlier Import for id has succeeded.
func (s *Store) isImported(ctx context.Context, id anchor.DeploymentID) (artifact.Manifest, bool, error) {
	m, err := s.Manifest(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	missing, err := s.listAbsent(ctx, uniqueContents(m))
	return m, err == nil && len(missing) == 0, err
}

func (s *Store) fetchTree(ctx context.Context, prefix string) (artifact.Manifest, error) {
	var files []artifact.File
	err := retry.Do(ctx, downloads, func() (err error) {
		files, err = s.fetchArchive(ctx, prefix+archiveName)
		if anchor.CodeOf(err) == "download_broken" {
			return retry.Again(err)
		}
		return err
	})
	switch {
	case err == nil:
		return s.checkManifest(files, prefix+archiveName)
	case isStatus(err, http.StatusNotFound) && anchor.CodeOf(err) != "no_bucket":
		return s.fetchFiles(ctx, prefix)
	}
	return artifact.Manifest{}, err
}

func (s *Store) fetchArchive(ctx context.Context, key string) ([]artifact.File, error) {
	body, err := s.openObject(ctx, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return s.readArchive(ctx, body)
}

// fetchFiles reads the files below prefix.
func (s *Store) fetchFiles(ctx context.Context, prefix string) (artifact.Manifest, error) {
	names, err := s.plainFiles(ctx, prefix)
	if err != nil {
		return artifact.Manifest{}, err
	}
	files := make([]artifact.File, len(names))
	group, downloads := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, name := range names {
		group.Go(func() (err error) {
			files[i], err = s.takeFile(downloads, prefix+name)
			files[i].Path = entryName(name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return artifact.Manifest{}, err
	}
	return s.checkManifest(files, prefix)
}

// plainFiles lists the files below prefix that an upload would contain, by their names there.
func (s *Store) plainFiles(ctx context.Context, prefix string) (names []string, err error) {
	listed, total := 0, int64(0)
	listing := s.listObjects(ctx, prefix, func(name string, object types.Object) error {
		if name == "" || strings.HasSuffix(name, "/") { // a "folder" that the console made
			return nil
		}
		if listed, total = listed+1, total+*object.Size; listed > 2*s.Limits.Files || total > s.Limits.Total {
			return tooMuch(s.objectURI(prefix), s.Limits)
		}
		keep, err := isWanted(entryName(name))
		if keep {
			names = append(names, name)
		}
		return err
	})
	if listing == nil && listed == 0 {
		return nil, anchor.NotFound("no_artifact", "no artifact found at %s", s.objectURI(prefix)).
			Hintf("The build uploads %s, or the files of .open-next, before it starts the deployment.", archiveName)
	}
	return names, listing
}

// takeFile downloads one file of unknown content. The file has no Path yet.
func (s *Store) takeFile(ctx context.Context, key string) (artifact.File, error) {
	var file artifact.File
	err := retry.Do(ctx, downloads, func() error {
		body, err := s.openObject(ctx, key)
		if err != nil {
			return err
		}
		defer body.Close()
		file.Digest, file.Size, err = s.scratch.Add(ctx, s.objectURI(key), body, s.Limits.FileSize)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case anchor.CodeOf(err) != "upload_broken":
			return err
		}
		return retry.Again(s.explainFailure(brokenOff{err}, "GetObject", key))
	})
	if err != nil {
		return artifact.File{}, err
	}
	return file, nil
}

// isWanted reports whether an upload would contain the file. A path that no upload can have is an
// error in any case.
func isWanted(name string) (bool, error) {
	if err := artifact.CheckPath(name); err != nil {
		return false, err
	}
	for i, c := range name {
		if c == '/' && !opennext.Needed(name[:i]) {
			return false, nil
		}
	}
	return opennext.Needed(name), nil
}

// entryName removes the folder that entries begin with when the folder itself was archived.
func entryName(name string) string {
	for strings.HasPrefix(name, "./") {
		name = name[2:]
	}
	return strings.TrimPrefix(name, ".open-next/")
}

func (s *Store) checkManifest(files []artifact.File, key string) (artifact.Manifest, error) {
	m := artifact.Manifest{Files: files}.Sorted()
	err := m.Check(s.Limits)
	if err == nil {
		m, err = m.Inline(opennext.LinkHome, s.Limits)
	}
	if err == nil {
		err = m.Check(s.Limits) // files that links added count, too
	}
	if err != nil {
		return artifact.Manifest{}, &anchor.Error{Kind: anchor.KindOf(err), Code: anchor.CodeOf(err), Hint: anchor.HintOf(err),
			Message: "the artifact " + s.objectURI(key) + " is refused", Err: err}
	}
	return m, nil
}

func tooMuch(what string, l artifact.Limits) error {
	return anchor.TooLarge("artifact_too_large", "%s has more than %d files or %d bytes", what, l.Files, l.Total).
		Hintf("Move large files to object storage, and check whether a bundle traces more files than it needs.")
}

// sendAll sends the contents of m, which are all in scratch.
func (s *Store) sendAll(ctx context.Context, m artifact.Manifest) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, f := range uniqueContents(m) {
		group.Go(func() error {
			have, err := s.hasContent(ctx, f.Digest, f.Size)
			if have || err != nil {
				return err
			}
			content, err := s.scratch.Content(f.Digest, f.Size)
			if err != nil {
				return err
			}
			defer content.Close()
			return s.sendContent(ctx, f.Digest, f.Size, io.ReadSeeker(content))
		})
	}
	return group.Wait()
}
