package access

import (
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"strings"
)

// A prefix marks a secret, for people and for scanners of leaked ones.
const (
	tokenPrefix   = "anchor_"
	sessionPrefix = "anchorsession_"
	linkPrefix    = "anchorlink_"
)

const (
	alphabet     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	secretBytes  = 32
	secretDigits = 43 // 62^43 > 256^32
)

func newSecret(prefix string) string {
	var random [secretBytes]byte
	rand.Read(random[:]) //nolint:errcheck // it never fails (crypto/rand, Go 1.24)
	return prefix + encodeBase62(random[:])
}

// encodeBase62 writes b as a number of secretDigits digits.
func encodeBase62(b []byte) string {
	n, base, digit := new(big.Int).SetBytes(b), big.NewInt(int64(len(alphabet))), new(big.Int)
	var text [secretDigits]byte
	for i := len(text) - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		text[i] = alphabet[digit.Int64()]
	}
	return string(text[:])
}

// isWellFormed reports whether a text can be a secret with the prefix. Others are not looked up.
func isWellFormed(secret, prefix string) bool {
	digits, found := strings.CutPrefix(secret, prefix)
	return found && len(digits) == secretDigits && strings.Trim(digits, alphabet) == ""
}

func hashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
