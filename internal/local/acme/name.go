package acme

import (
	"strings"

	"golang.org/x/net/idna"
)

// labels does what browsers do to a host before they look it up (UTS #46, non-transitional), strict
// about characters.
var labels = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true))

// maxName is the longest host name in octets, without the root dot (RFC 1035, section 3.1).
const maxName = 253

// normalName converts a name from outside (a handshake, a Host header) to the form in which hostnames
// are stored: lower-case A-labels without the root dot. Clients nearly always send plain ASCII,
// which costs no allocation.
func normalName(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxName {
		return "", false
	}
	plain := true
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			plain = false
		}
	}
	if !plain {
		ascii, err := labels.ToASCII(name)
		if err != nil || len(ascii) > maxName {
			return "", false
		}
		name = strings.TrimSuffix(ascii, ".")
	}
	if name == "" || name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
		return "", false
	}
	return name, true
}

func isWildcard(name string) bool { return strings.HasPrefix(name, "*.") }

// parentWildcard returns the wildcard that covers a name: exactly one label is replaced (RFC 9525, section
// 6.3).
func parentWildcard(name string) (string, bool) {
	_, base, ok := strings.Cut(name, ".")
	if !ok || !strings.Contains(base, ".") {
		return "", false
	}
	return "*." + base, true
}
