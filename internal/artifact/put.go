package artifact

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Put stores a content. It reads at most size+1 bytes, and nothing when the content is stored
// already. A content of another size or digest is an Invalid error and leaves nothing behind.
// Several Puts of one content at a time are safe. Durable only after Sync or Unpack.
func (s *Store) Put(ctx context.Context, digest Digest, size int64, content io.Reader) error {
	if !digest.isValid() {
		return badDigest(string(digest))
	}
	if size < 0 || size > s.Limits.FileSize {
		return anchor.TooLarge("file_too_large", "the content %s has %d bytes; 0 to %d are possible", digest, size, s.Limits.FileSize).
			Hintf("Keep files of this size in object storage and link to them.")
	}
	s.mu.RLock()
	have, err := s.haveContent(digest, size)
	s.mu.RUnlock()
	if have || err != nil {
		return err
	}
	if err := s.unowned.reserveBytes(size, s.MaxUnowned, unownedPerFile*s.Limits.Files); err != nil {
		return err
	}
	temp, err := s.writeTemp("the content "+string(digest), func(file io.Writer) error {
		return receiveContent(ctx, file, digest, size, content)
	})
	if err != nil {
		s.unowned.releaseBytes(size)
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.adoptFile(temp, incomingPath(digest), size)
}

// unownedPerFile is how many files MaxUnowned goes with, by the limit of one artifact's.
const unownedPerFile = 4

// haveContent reports whether the content is stored, and marks it as just used, which keeps Collect
// from removing it before a manifest names it.
func (s *Store) haveContent(digest Digest, size int64) (bool, error) {
	name, err := s.findContent(digest, size)
	if name == "" || err != nil {
		return false, err
	}
	now := time.Now()
	err = os.Chtimes(s.joinPath(name), now, now)
	if errors.Is(err, fs.ErrNotExist) { // Sync moved it on
		return true, nil
	}
	if err != nil {
		return false, diskError(err, "touch the content %s", digest)
	}
	return true, nil
}

// writeTemp makes a new read-only file with what fill writes and returns its name.
func (s *Store) writeTemp(what string, fill func(io.Writer) error) (_ string, err error) {
	temp, file, err := s.createInLane()
	if err != nil {
		return "", diskError(err, "store %s", what)
	}
	defer func() {
		if closing := file.Close(); err == nil && closing != nil {
			err = diskError(closing, "store %s", what)
		}
		if err != nil {
			err = s.giveUp(err, temp)
		}
	}()
	if err := fill(file); err != nil {
		return "", err
	}
	if err := file.Chmod(0o444); err != nil { // whatever the umask
		return "", diskError(err, "store %s", what)
	}
	return temp, nil
}

// receiveContent copies a content and checks it against the announced size and digest.
func receiveContent(ctx context.Context, file io.Writer, digest Digest, size int64, content io.Reader) error {
	hash := sha256.New()
	from := &reading{ctx: ctx, from: io.LimitReader(content, size+1)}
	buffer := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buffer)
	read, err := io.CopyBuffer(io.MultiWriter(file, hash), from, buffer[:])
	switch {
	case from.err != nil:
		return anchor.Invalid("upload_broken", "the content %s broke off after %d of %d bytes", digest, read, size).
			Because(from.err).Hintf("Send it again.")
	case err != nil:
		return diskError(err, "store the content %s", digest)
	case read != size:
		return wrongLength(digest, read, size)
	}
	return checkSum(hash, digest)
}

func checkSum(hash hash.Hash, digest Digest) error {
	if got := sumOf(hash); got != digest {
		return anchor.Invalid("wrong_digest", "the content sent as %s has the digest %s", digest, got).
			Hintf("The file changed after it was listed, or during the upload. Create the manifest again.")
	}
	return nil
}

// buffers saves allocating a buffer for every small content.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

func wrongLength(digest Digest, read, size int64) error {
	if read > size {
		return anchor.Invalid("wrong_size", "the content sent as %s has more than its %d bytes", digest, size).
			Hintf("The file changed after it was listed. Create the manifest again.")
	}
	return anchor.Invalid("wrong_size", "the content sent as %s has %d bytes, not %d", digest, read, size).
		Hintf("The file changed after it was listed, or the upload broke off. Send it again.")
}

// adoptFile renames a temporary file to name, unless a file of that name exists: that one has the
// same content and may be in use. Its size is reserved.
func (s *Store) adoptFile(temp, name string, size int64) error {
	err := moveNew(s.joinPath(temp), s.joinPath(name))
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		s.unowned.releaseBytes(size)
		if err := os.Remove(s.joinPath(temp)); err != nil {
			return diskError(err, "remove %s", s.joinPath(temp))
		}
		return nil
	}
	if err := os.Rename(s.joinPath(temp), s.joinPath(name)); err != nil { // the file system has no hard links
		s.unowned.releaseBytes(size)
		return s.giveUp(diskError(err, "store %s", s.joinPath(name)), temp)
	}
	return nil
}

// reading stops when ctx ends, and separates errors of the sender from errors of our disk.
type reading struct {
	ctx  context.Context
	from io.Reader
	err  error
}

func (r *reading) Read(p []byte) (int, error) {
	if r.err = r.ctx.Err(); r.err != nil {
		return 0, r.err
	}
	n, err := r.from.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

const tempSuffix = ".part"

func tempName() string { return rand.Text() + tempSuffix }
func tempPath() string { return incomingDir + "/" + tempName() }
