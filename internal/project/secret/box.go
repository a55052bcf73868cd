// Package secret encrypts what must not lie readable in the records, under one
// key in a file.
package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// version begins everything sealed, so that another cipher can come.
const version = 1

// Box seals and opens with AES-256-GCM (NIST SP 800-38D) under random 96-bit
// nonces: good for 2^32 values of one key (section 8.3). It is safe for
// concurrent use.
type Box struct {
	aead cipher.AEAD
	key  []byte
}

// New returns the Box of a key of 32 bytes.
func New(key []byte) (*Box, error) {
	if len(key) != keySize {
		return nil, anchor.Failed("key_damaged", "the key has %d bytes, not %d", len(key), keySize).
			Hintf("Restore it from a backup. Without this key the environment variables in the records are lost.")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead, bytes.Clone(key)}, nil
}

// Seal encrypts plain for one place, such as ("env", project, name): it opens
// nowhere else. Sealed twice, it differs.
func (b *Box) Seal(plain []byte, place ...string) []byte {
	return b.aead.Seal([]byte{version}, nil, plain, encodePlace(place))
}

// Derive returns a key of 32 bytes for one place, always the same one, which says nothing about the
// Box's own or about that of another place (HKDF with SHA-256, RFC 5869). So it need not be kept.
func (b *Box) Derive(place ...string) ([]byte, error) {
	return hkdf.Key(sha256.New, b.key, nil, string(encodePlace(place)), keySize)
}

// Open decrypts what Seal made for the same place. Its error means that the
// bytes were changed, moved from another place or sealed under another key.
func (b *Box) Open(sealed []byte, place ...string) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != version {
		return nil, fmt.Errorf("open the secret of %q: not sealed by this version of Anchor", place)
	}
	plain, err := b.aead.Open(nil, nil, sealed[1:], encodePlace(place))
	if err != nil {
		return nil, fmt.Errorf("open the secret of %q: %w", place, errSealed)
	}
	return plain, nil
}

var errSealed = errors.New("it was encrypted with another key or is damaged; restore the key file that belongs to these records")

// encodePlace writes each part after its length: ("a", "bc") differs from ("ab", "c").
func encodePlace(place []string) []byte {
	data := []byte{version}
	for _, part := range place {
		data = binary.BigEndian.AppendUint64(data, uint64(len(part)))
		data = append(data, part...)
	}
	return data
}
