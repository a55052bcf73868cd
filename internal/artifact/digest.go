package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Digest is the SHA-256 of a file's content in lower-case hex.
type Digest string

const digestLen = sha256.Size * 2

// ParseDigest refuses what is not 64 lower-case hex digits.
func ParseDigest(s string) (Digest, error) {
	if d := Digest(s); d.isValid() {
		return d, nil
	}
	return "", badDigest(s)
}

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(hex.EncodeToString(sum[:]))
}

func sumOf(h hash.Hash) Digest { return Digest(hex.EncodeToString(h.Sum(nil))) }

func (d Digest) isValid() bool {
	return len(d) == digestLen && strings.Trim(string(d), "0123456789abcdef") == ""
}

func badDigest(s string) *anchor.Error {
	if len(s) > digestLen {
		s = s[:digestLen] + "…"
	}
	return anchor.Invalid("bad_digest", "%q is not a digest", s).
		Hintf("A digest is the SHA-256 of the content as 64 lower-case hex digits.")
}
