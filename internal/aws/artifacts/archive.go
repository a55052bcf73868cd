package artifacts

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// readArchive stores the contents of a tar.gz in scratch and lists its files. It never writes
// under a name from the archive: names are only listed, and checked before anything is laid out.
func (s *Store) readArchive(ctx context.Context, from io.Reader) ([]artifact.File, error) {
	source := &upload{Reader: from}
	inflated, err := gzip.NewReader(source)
	if err != nil {
		return nil, badArchive(source, err)
	}
	// Besides its files, an archive has headers and padding, and may have two of each to an
	// entry.
	bounded := &bounded{from: inflated, left: s.Limits.Total + int64(s.Limits.Files)*4096}
	a := &archive{store: s, names: map[string]artifact.File{}}
	for entries := tar.NewReader(bounded); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			// The rest holds the checksum of the whole.
			if _, err = io.Copy(io.Discard, bounded); err == nil {
				return a.files, nil
			}
		}
		if err == nil {
			err = a.add(ctx, header, entries)
		}
		switch {
		case bounded.left < 0:
			return nil, tooMuch("the archive", s.Limits)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case anchor.CodeOf(err) == "upload_broken" || err != nil && anchor.CodeOf(err) == "":
			return nil, badArchive(source, err)
		case err != nil:
			return nil, err
		}
	}
}

func badArchive(source *upload, err error) error {
	if source.err != nil {
		return anchor.Failed("download_broken", "the download of %s broke off", archiveName).Because(source.err).Hintf("Try again.")
	}
	return anchor.Invalid("bad_archive", "%s is not a complete gzipped tar archive", archiveName).Because(err).
		Hintf("Create it with: tar -czf %s -C .open-next .", archiveName)
}

// archive is what was read of an archive so far.
type archive struct {
	store   *Store
	files   []artifact.File
	names   map[string]artifact.File // by path, dropped ones too: hard links may name them
	entries int
	total   int64
}

func (a *archive) add(ctx context.Context, h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader { // git archive's comment
		return nil
	}
	a.entries++
	a.total += h.Size // also that of a sparse file, which has few bytes of its own
	if limits := a.store.Limits; a.entries > 2*limits.Files || a.total > limits.Total || h.Size > limits.FileSize {
		return tooMuch("the archive", limits)
	}
	name := entryName(h.Name)
	if h.Typeflag == tar.TypeDir {
		return a.checkFolder(name)
	}
	keep, err := isWanted(name)
	if err != nil {
		return err
	}
	f := artifact.File{Path: name, Exec: h.FileInfo().Mode()&0o111 != 0}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		f.Digest, f.Size, err = a.store.scratch.Add(ctx, "the archive's entry "+name, content, a.store.Limits.FileSize)
	case tar.TypeSymlink:
		f = artifact.File{Path: name, Link: h.Linkname}
	case tar.TypeLink:
		f, err = a.hardLink(name, h.Linkname)
	default:
		return anchor.Invalid("special_file", "the archive's entry %q is neither a file nor a folder nor a link (%s)", name, entryKind(h)).
			Hintf("Remove it from the archive.")
	}
	if err != nil {
		return err
	}
	a.names[name] = f
	if keep {
		a.files = append(a.files, f)
	}
	return nil
}

// checkFolder checks a folder's name. Folders are created by the files in them.
func (a *archive) checkFolder(name string) error {
	switch name = strings.TrimSuffix(name, "/"); name {
	case "", ".", ".open-next":
		return nil
	}
	return artifact.CheckPath(name)
}

// hardLink returns the file of an earlier entry under another name.
func (a *archive) hardLink(name, to string) (artifact.File, error) {
	f, there := a.names[entryName(to)]
	if !there {
		return f, anchor.Invalid("link_escapes", "the archive's entry %q is a hard link to %q, which is not in the archive before it", name, to).
			Hintf("Pack the file itself: tar --hard-dereference.")
	}
	f.Path = name
	return f, nil
}

func entryKind(h *tar.Header) string {
	switch mode := h.FileInfo().Mode(); {
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	}
	return "type " + string(h.Typeflag)
}

// bounded fails when an archive inflates to more than the limits allow.
type bounded struct {
	from io.Reader
	left int64
}

var errTooMuch = errors.New("the archive inflates to more than is allowed")

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooMuch
	}
	return n, err
}
