package anchor

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxLabel is the most that a label of a host name has (RFC 1035, section 2.3.4).
const maxLabel = 63

// branchHashLength is how many hexadecimal digits tell apart branches that have the same slug.
const branchHashLength = 6

// BranchLabels returns the labels that the host of a branch's newest preview can have, the preferred one
// first: "feature-x--shop", and "feature-x-1a2b3c--shop" with a part of the SHA-256 of the branch's name.
// A branch whose name is too long, or keeps no character, has the second one only.
func BranchLabels(branch, slug string) []string {
	sum := sha256.Sum256([]byte(branch))
	hash := hex.EncodeToString(sum[:])[:branchHashLength]
	name := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(branch), "-"), "-")
	room := maxLabel - len("--") - len(slug)
	short := strings.Trim(name[:min(len(name), room-branchHashLength-1)], "-")
	hashed := strings.TrimPrefix(short+"-"+hash, "-") + "--" + slug
	if name == "" || len(name) > room || ValidID(name) { // a deployment's own host begins with its id
		return []string{hashed}
	}
	return []string{name + "--" + slug, hashed}
}
