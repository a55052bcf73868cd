package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/filepack"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// The shape of an upload: packs are kept well under filepack.MaxSize so that the
// parallel senders end at about the same time and a lost one costs little.
const (
	senders   = 4
	packBytes = 8 << 20
	smallFile = 256 << 10
)

// Upload is a set of files on their way to the server.
type Upload struct {
	Dir      string            // the folder the manifest was made of
	Manifest artifact.Manifest //
	Missing  []artifact.Digest // what the server said it lacks

	// Presigned makes the contents go to URLs that the server signs, as its answer to the start
	// of the deployment requires.
	Presigned bool

	// Progress is called after every request, from several goroutines.
	Progress func(sent Sent)
}

// Sent counts what an upload has sent and what it will send.
type Sent struct {
	Files, TotalFiles int64
	Bytes, TotalBytes int64
}

// Upload sends what is missing in parallel, small files packed together. When a connection
// breaks, it asks again which files are missing and continues with those.
func (c *Client) Upload(ctx context.Context, project string, d anchor.DeploymentID, u Upload) (Sent, error) {
	root, err := os.OpenRoot(u.Dir)
	if err != nil {
		return Sent{}, fmt.Errorf("open the build: %w", err)
	}
	defer root.Close()
	run := &uploading{client: c, project: project, deployment: d, root: root, files: filesByDigest(u.Manifest), onProgress: u.Progress}
	deliver := run.send
	if u.Presigned {
		deliver = run.sendPresigned
	}
	missing := u.Missing
	run.expect(missing)
	broken := false
	err = retry.Do(ctx, c.repeatPolicy(), func() (err error) {
		if broken {
			if missing, err = c.Missing(ctx, project, d); err != nil {
				return err
			}
			run.markArrived(missing)
		}
		err = deliver(ctx, missing)
		if broken = resumable(err); broken {
			return retry.Again(err)
		}
		return err
	})
	return run.sent(), err
}

func resumable(err error) bool {
	var lost *Unreachable
	return errors.As(err, &lost) || anchor.KindOf(err) == anchor.KindBusy
}

type uploading struct {
	client     *Client
	project    string
	root       *os.Root // of the build; no link that was put in since leads out of it
	deployment anchor.DeploymentID
	files      map[artifact.Digest]artifact.File
	onProgress func(Sent)

	total        Sent
	doneN, doneB atomic.Int64
}

// filesByDigest keeps one file for each content.
func filesByDigest(m artifact.Manifest) map[artifact.Digest]artifact.File {
	files := make(map[artifact.Digest]artifact.File, len(m.Files))
	for _, f := range m.Files {
		if f.Link == "" {
			files[f.Digest] = f
		}
	}
	return files
}

func (u *uploading) expect(missing []artifact.Digest) {
	u.total.TotalFiles = int64(len(missing))
	for _, d := range missing {
		u.total.TotalBytes += u.files[d].Size
	}
}

// markArrived counts files that are no longer missing as sent: the answer may have been lost.
func (u *uploading) markArrived(missing []artifact.Digest) {
	bytes := u.total.TotalBytes
	for _, d := range missing {
		bytes -= u.files[d].Size
	}
	u.doneN.Store(u.total.TotalFiles - int64(len(missing)))
	u.doneB.Store(bytes)
}

func (u *uploading) sent() Sent {
	s := u.total
	s.Files, s.Bytes = u.doneN.Load(), u.doneB.Load()
	return s
}

func (u *uploading) add(files, bytes int64) {
	u.doneN.Add(files)
	u.doneB.Add(bytes)
	if u.onProgress != nil {
		u.onProgress(u.sent())
	}
}

func (u *uploading) send(ctx context.Context, missing []artifact.Digest) error {
	packs, single, err := u.plan(missing)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(senders)
	for _, f := range single {
		group.Go(func() error { return u.sendFile(ctx, f) })
	}
	for _, pack := range packs {
		group.Go(func() error { return u.sendPack(ctx, pack) })
	}
	return group.Wait()
}

// plan sorts what is missing into files that travel alone, largest first, and
// packs of small ones.
func (u *uploading) plan(missing []artifact.Digest) (packs [][]filepack.Entry, single []artifact.File, err error) {
	var pack []filepack.Entry
	var size int64
	for _, d := range missing {
		f, ok := u.files[d]
		switch {
		case !ok:
			return nil, nil, fmt.Errorf("the server asked for %s, which is not a file of this upload", d)
		case f.Size > smallFile:
			single = append(single, f)
			continue
		case len(pack) == filepack.MaxFiles || size+f.Size > packBytes:
			packs, pack, size = append(packs, pack), nil, 0
		}
		pack, size = append(pack, filepack.Entry{Digest: string(d), Size: f.Size}), size+f.Size
	}
	if len(pack) > 0 {
		packs = append(packs, pack)
	}
	sort.Slice(single, func(i, j int) bool { return single[i].Size > single[j].Size })
	return packs, single, nil
}

func (u *uploading) sendFile(ctx context.Context, f artifact.File) error {
	err := u.put(ctx, call{
		method: http.MethodPut, path: projectPath(u.project, "files", string(f.Digest)), size: f.Size,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		body:   func() (io.ReadCloser, error) { return u.open(f) },
	})
	if err != nil {
		return fmt.Errorf("upload %s: %w", f.Path, err)
	}
	u.add(1, f.Size)
	return nil
}

// sendPack repeats a POST, which is safe: a file that is stored already is kept.
func (u *uploading) sendPack(ctx context.Context, entries []filepack.Entry) error {
	err := u.put(ctx, call{
		method: http.MethodPost, path: projectPath(u.project, "files"), size: filepack.Size(entries),
		header: http.Header{"Content-Type": {wire.PackType}},
		body:   func() (io.ReadCloser, error) { return u.pack(entries), nil },
	})
	if err != nil {
		return fmt.Errorf("upload %d files: %w", len(entries), err)
	}
	var size int64
	for _, e := range entries {
		size += e.Size
	}
	u.add(int64(len(entries)), size)
	return nil
}

func (u *uploading) put(ctx context.Context, cl call) error {
	res, err := u.client.do(ctx, cl)
	if err != nil {
		return err
	}
	drain(res)
	return nil
}

func (u *uploading) pack(entries []filepack.Entry) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		opener := artifact.NewFolderFiles(u.root)
		defer opener.Close()
		err := filepack.Write(w, entries, func(e filepack.Entry) (io.ReadCloser, error) {
			return openUnchanged(opener, u.files[artifact.Digest(e.Digest)])
		})
		if err != nil {
			err = &brokenBody{err}
		}
		w.CloseWithError(err)
	}()
	return r
}

func (u *uploading) open(f artifact.File) (io.ReadCloser, error) {
	opener := artifact.NewFolderFiles(u.root)
	defer opener.Close()
	return openUnchanged(opener, f)
}

// openUnchanged opens a file that must have the size with which it was scanned.
func openUnchanged(opener *artifact.FolderFiles, f artifact.File) (io.ReadCloser, error) {
	file, err := opener.Open(f.Path)
	if err != nil {
		return nil, &brokenBody{fmt.Errorf("%q existed when the build was scanned: %w", f.Path, err)}
	}
	if info, err := file.Stat(); err != nil || info.Size() != f.Size {
		file.Close()
		return nil, &brokenBody{fileChanged(f, err)}
	}
	return file, nil
}
