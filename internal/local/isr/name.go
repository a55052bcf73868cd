package isr

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

// plainName matches names that may be a folder name as they are: no separator, no dot, one case
// only.
var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// folderName maps a namespace to a folder name, one to one: readable where that is safe, else a
// digest. The prefixes keep the two kinds apart.
func folderName(ns string) string {
	if plainName.MatchString(ns) {
		return "ns-" + ns
	}
	return "sha256-" + digestOf(ns)
}

// fileName maps an object's key to a file name, always of 64 hexadecimal digits.
func fileName(key string) string { return digestOf(key) }

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
