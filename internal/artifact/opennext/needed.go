package opennext

import "strings"

// Needed reports whether a deployment needs the file or folder at the slash-separated path of a
// .open-next tree. It excludes what only OpenNext's own infrastructure or the build uses:
// Anchor seeds the tag table itself and needs just its rows.
func Needed(path string) bool {
	top, rest, nested := strings.Cut(path, "/")
	switch {
	case strings.HasPrefix(top, "."), top == "warmer-function":
		return false
	case top == "dynamodb-provider":
		return !nested || rest == "dynamodb-cache.json"
	}
	return true
}
