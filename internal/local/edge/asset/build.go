package asset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/artifact/staticfile"
)

// BuildOptions are the options of one Build.
type BuildOptions struct {
	// Prefix is the app's basePath ("/docs"). OpenNext stores assets without it and copies them to
	// "_assets<basePath>" (origins.s3.copy[].to), so the index adds it to the front of every path.
	Prefix string
	// ModTime becomes Last-Modified of every file: the time when the deployment was created, in
	// whole seconds.
	ModTime time.Time
	// Parallel is how many files are compressed at a time; 0 means GOMAXPROCS.
	Parallel int
}

// Build checks that every file exists and has the size in the manifest, writes the missing
// compressed variants, and returns the index. It does not verify digests: the receiver of the files
// has done so. It can be repeated without harm, and stops soon after ctx is done.
func Build(ctx context.Context, place Place, opts BuildOptions, files []File) (*Index, error) {
	root, err := os.OpenRoot(place.Root)
	if err != nil {
		return nil, fmt.Errorf("open asset folder: %w", err)
	}
	defer root.Close()

	b := builder{root: root, variants: place.Variants, made: &newVariants{names: map[string]string{}}, shared: place.Shared}
	defer b.dropVariants()
	entries, err := buildEntries(ctx, b, opts.Parallel, files)
	if err != nil {
		return nil, err
	}
	if err := b.keepVariants(); err != nil {
		return nil, err
	}
	index := newIndex(place, cleanPrefix(opts.Prefix), opts.ModTime, len(files))
	for _, e := range entries {
		index.entries[e.path] = e
	}
	if len(index.entries) != len(files) {
		return nil, fmt.Errorf("build asset index: %d files but %d paths; the manifest names a path twice",
			len(files), len(index.entries))
	}
	return index, nil
}

func buildEntries(ctx context.Context, b builder, parallel int, files []File) ([]*entry, error) {
	if parallel <= 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	entries := make([]*entry, len(files))
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, f := range files {
		if running.Err() != nil {
			break
		}
		group.Go(func() (err error) {
			entries[i], err = b.buildEntry(running, f)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("build asset index: %w", err)
	}
	return entries, nil
}

type builder struct {
	root     *os.Root
	variants string
	made     *newVariants
	shared   *Shared
}

func (b builder) buildEntry(ctx context.Context, f File) (*entry, error) {
	if err := b.checkFile(f); err != nil {
		return nil, err
	}
	if f.Size < SmallestToCompress || staticfile.ContentEncoding(f.Path) != "" || !Compressible(staticfile.MediaType(f.Path)) {
		return b.shared.entryOf(f, sizes{}), nil
	}
	var coded sizes
	for _, v := range []struct {
		size *int64
		encoder
	}{{&coded.brotli, brotliEncoder}, {&coded.zstd, zstdEncoder}, {&coded.gzip, gzipEncoder}} {
		size, err := b.ensureVariant(ctx, f, v.encoder)
		if err != nil {
			return nil, err
		}
		*v.size = size
	}
	return b.shared.entryOf(f, coded), nil
}

func (b builder) checkFile(f File) error {
	if err := f.checkFile(); err != nil {
		return err
	}
	info, err := b.root.Lstat(filepath.FromSlash(f.Path))
	if err != nil {
		return fmt.Errorf("asset %s: %w", f.Path, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("asset %s: a %s, not a regular file", f.Path, info.Mode().Type())
	}
	if info.Size() != f.Size {
		return fmt.Errorf("asset %s: %d octets on disk, the manifest says %d", f.Path, info.Size(), f.Size)
	}
	return nil
}
