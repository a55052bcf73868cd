package artifact

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Add stores a content of at most atMost bytes whose digest is not known yet, as Put
// does one that is announced. what names it in errors.
func (s *Store) Add(ctx context.Context, what string, content io.Reader, atMost int64) (Digest, int64, error) {
	var digest Digest
	var size int64
	temp, err := s.writeTemp(what, func(file io.Writer) error {
		hash := sha256.New()
		from := &reading{ctx: ctx, from: io.LimitReader(content, atMost+1)}
		read, err := io.Copy(io.MultiWriter(file, hash), from)
		switch {
		case from.err != nil:
			return anchor.Invalid("upload_broken", "%s broke off after %d bytes", what, read).
				Because(from.err).Hintf("Send it again.")
		case err != nil:
			return diskError(err, "store %s", what)
		case read > atMost:
			return anchor.TooLarge("file_too_large", "%s has more than %d bytes", what, atMost).
				Hintf("Keep files of this size in object storage and link to them.")
		}
		digest, size = sumOf(hash), read
		return nil
	})
	if err != nil {
		return "", 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	have, err := s.haveContent(digest, size)
	if have || err != nil {
		return digest, size, s.giveUp(err, temp)
	}
	if err := s.unowned.reserveBytes(size, 0, 0); err != nil {
		return "", 0, s.giveUp(err, temp)
	}
	return digest, size, s.adoptFile(temp, incomingPath(digest), size)
}

// Content opens a content, durable or not: ErrNotFound when it is not stored.
func (s *Store) Content(digest Digest, size int64) (*os.File, error) {
	name, err := s.findContent(digest, size)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, anchor.NotFound("content_missing", "the content %s does not exist", digest).
			Hintf("Upload it first.")
	}
	file, err := s.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) { // Sync moved it on
		file, err = s.root.Open(blobPath(digest))
	}
	if err != nil {
		return nil, diskError(err, "read the content %s", digest)
	}
	return file, nil
}
