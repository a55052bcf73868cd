package artifact

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
)

// Verify reads content and fails in place of its last bytes unless it is size bytes
// with that digest: who waits for all of size never has a wrong content whole. The
// errors are those of Store.Put.
func Verify(content io.Reader, digest Digest, size int64) io.Reader {
	return &verifying{from: content, digest: digest, size: size, hash: sha256.New()}
}

type verifying struct {
	from   io.Reader
	digest Digest
	size   int64
	hash   hash.Hash
	read   int64
	err    error // what every later Read returns
}

func (v *verifying) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if v.size == 0 {
		v.err = v.endResult()
		return 0, v.err
	}
	if left := v.size - v.read; int64(len(p)) > left {
		p = p[:left]
	}
	n, err := v.from.Read(p)
	v.hash.Write(p[:n])
	v.read += int64(n)
	switch {
	case v.read == v.size:
		if v.err = v.endResult(); errors.Is(v.err, io.EOF) {
			return n, nil
		}
		return 0, v.err
	case err == io.EOF:
		v.err = wrongLength(v.digest, v.read, v.size)
		return 0, v.err
	}
	return n, err
}

// endResult returns io.EOF when the content is as announced.
func (v *verifying) endResult() error {
	if n, err := io.ReadFull(v.from, make([]byte, 1)); n > 0 {
		return wrongLength(v.digest, v.size+1, v.size)
	} else if err != io.EOF {
		return err
	}
	if err := checkSum(v.hash, v.digest); err != nil {
		return err
	}
	return io.EOF
}
