package domains

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Name is a domain name that can be attached.
type Name struct {
	ASCII       string // lower-case A-labels, no trailing dot; "*.example.com" for a wildcard
	Unicode     string // the same in U-labels
	Base        string // ASCII without the "*."
	Registrable string // the part that was registered: public suffix and one label
	Wildcard    bool
	Apex        bool     // it is the registrable part itself
	Note        string   // how the input was read, when it was not a plain name
	Warnings    []string // what is allowed and looks wrong
}

// The limits of names (RFC 1035 §2.3.4, without the root's octet) and of input.
const (
	maxName  = 253
	maxLabel = 63
	maxInput = 2048 // punycode takes more than linear time
)

// profile is UTS #46 non-transitional with all checks of registration and STD3: what a CA may
// put into a certificate (CA/B Baseline Requirements §7.1.4.2.1).
var profile = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.ValidateLabels(true),
	idna.CheckHyphens(true),
	idna.CheckJoiners(true),
	idna.StrictDomainName(true),
	idna.BidiRule(),
)

// Parse reads a domain name as a person writes it: in any case, in Unicode or A-labels, with a
// trailing dot, with space around it, or within a whole URL, whose host it returns with a Note.
// Any input without a name of the public DNS's form is Invalid "bad_domain", with what is wrong
// and what to write.
func Parse(input string) (Name, error) {
	host, note, err := hostOf(input)
	if err != nil {
		return Name{}, err
	}
	rest, wildcard, err := cutWildcard(host)
	if err != nil {
		return Name{}, err
	}
	base, err := toASCII(rest)
	if err != nil {
		return Name{}, err
	}
	name := Name{ASCII: base, Base: base, Wildcard: wildcard, Note: note}
	if wildcard {
		name.ASCII = "*." + base
	}
	if len(name.ASCII) > maxName {
		return Name{}, errBadName("the domain is %d octets long", len(name.ASCII)).Hintf("A domain has at most %d octets, its dots included.", maxName)
	}
	if err := name.findRegistered(); err != nil {
		return Name{}, err
	}
	name.describeWritten(rest)
	return name, nil
}

func errBadName(format string, args ...any) *anchor.Error {
	return anchor.Invalid("bad_domain", format, args...)
}

// cutWildcard takes "*." off. A wildcard is a whole leftmost label (RFC 4592
// §2.1.1, RFC 9525 §6.3).
func cutWildcard(host string) (rest string, wildcard bool, err error) {
	rest, wildcard = strings.CutPrefix(host, "*.")
	if !wildcard {
		rest = host
	}
	if strings.Contains(rest, "*") {
		return "", false, errBadName("%q has a * where none can be", host).
			Hintf("A wildcard is a * alone before the first dot: *.example.com")
	}
	return rest, wildcard, nil
}

func toASCII(host string) (string, error) {
	if err := checkInput(host); err != nil {
		return "", err
	}
	ascii, err := profile.ToASCII(host)
	ascii = strings.TrimSuffix(ascii, ".") // U+3002 and others are dots too, after the mapping
	if isIP(ascii) || isIP(host) {
		return "", errBadName("%q is an IP address", host).Hintf("Attach a domain name and point its DNS at the address.")
	}
	if err := checkLabels(host, ascii); err != nil {
		return "", err
	}
	if err != nil {
		return "", errBadName("%q is not a valid domain name", host).
			Hintf("Use letters, digits and hyphens between dots, or a valid internationalized name (UTS #46).").Because(err)
	}
	if i := strings.IndexAny(unicodeOf(ascii), separators); i >= 0 {
		return "", errBadName("%q has a character that looks like one of a URL and is none", host).
			Hintf("Type the name by hand. The copied text contains misleading characters.")
	}
	if !isStable(ascii) {
		return "", errBadName("%q has a label in xn-- form that no valid name has", host).
			Hintf("Write the name in its own script instead of its xn-- form.")
	}
	return ascii, nil
}

// separators look like / : or . and pass UTS #46; with one of them "example.com∕a.example.org"
// seems to belong to another owner. No registry accepts them (RFC 5892: DISALLOWED).
const separators = "\u2044\u2215\u29f8\u2571\u2236\ua789\u2027"

func unicodeOf(ascii string) string {
	unicode, err := profile.ToUnicode(ascii)
	if err != nil {
		return ascii
	}
	return unicode
}

func checkInput(host string) error {
	switch {
	case host == "":
		return errBadName("the domain is empty").Hintf("Enter a name such as www.example.com.")
	case !utf8.ValidString(host):
		return errBadName("%q is not UTF-8", host).Hintf("Write the name in UTF-8 or in its xn-- form.")
	case strings.Contains(host, "_"):
		return errBadName("%q has an underscore", host).
			Hintf("Names with underscores hold DNS records like _acme-challenge; no certificate is issued for them. Use a hyphen.")
	}
	return nil
}

// checkLabels explains what is wrong with a label better than the profile does.
func checkLabels(host, ascii string) error {
	for label := range strings.SplitSeq(ascii, ".") {
		switch {
		case label == "":
			return errBadName("%q has an empty part between its dots", host).Hintf("Separate the labels by single dots and do not begin with a dot.")
		case len(label) > maxLabel:
			return errBadName("the part %.20q… of the domain is %d octets long", label, len(label)).
				Hintf("A label between dots has at most %d octets.", maxLabel)
		case label[0] == '-' || label[len(label)-1] == '-':
			return errBadName("the part %q of the domain begins or ends with a hyphen", label).Hintf("Hyphens are allowed only between letters or digits.")
		}
	}
	return nil
}

// isStable reports whether every A-label is the encoding of its U-label (RFC 5891 §5.4):
// "xn--a-" and other fakes are not.
func isStable(ascii string) bool {
	unicode := unicodeOf(ascii)
	for label := range strings.SplitSeq(unicode, ".") {
		if strings.HasPrefix(label, "xn--") {
			return false
		}
	}
	again, err := profile.ToASCII(unicode)
	return err == nil && again == ascii
}

// isIP knows every form that some client takes for an address: the last label a
// number, decimal, octal or hexadecimal (WHATWG URL, "ends in a number").
func isIP(host string) bool {
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	last := host[strings.LastIndex(host, ".")+1:]
	if hex, isHex := strings.CutPrefix(strings.ToLower(last), "0x"); isHex {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// reserved are the top-level names that never are in the public DNS (RFC 6761,
// RFC 6762, RFC 7686, RFC 9476).
var reserved = map[string]bool{"localhost": true, "local": true, "invalid": true, "onion": true, "alt": true}

// findRegistered finds where the registered part of the name begins, and refuses names that nobody can
// have registered.
func (n *Name) findRegistered() error {
	if !strings.Contains(n.Base, ".") {
		if reserved[n.Base] {
			return errBadName("%q is a name of every machine itself", n.Base).Hintf("Attach a domain that you registered.")
		}
		if n.Wildcard {
			return n.sharedSuffixError(n.Base)
		}
		return errBadName("%q is a single word", n.ASCII).Hintf("Enter the whole domain, such as %s.example.com.", n.Base)
	}
	if top := n.Base[strings.LastIndex(n.Base, ".")+1:]; reserved[top] || strings.HasSuffix(n.Base, ".arpa") {
		return errBadName("names under %q are not for sites of the public DNS", top).Hintf("Attach a domain that you registered.")
	}
	suffix, _ := publicsuffix.PublicSuffix(n.Base)
	if n.Wildcard && (suffix == n.Base || isSuffix("a."+n.Base)) {
		return n.sharedSuffixError(n.Base)
	}
	if suffix == n.Base {
		return errBadName("%q is a public suffix, under which anybody can have a domain", n.Base).
			Hintf("Attach a domain below it, like example.%s.", suffix)
	}
	labels := strings.Split(strings.TrimSuffix(n.Base, "."+suffix), ".")
	n.Registrable = labels[len(labels)-1] + "." + suffix
	n.Apex = n.ASCII == n.Registrable
	return nil
}

func (n *Name) sharedSuffixError(suffix string) error {
	return errBadName("%q covers the domains of everybody under %s", n.ASCII, suffix).
		Hintf("A wildcard goes below a domain that you registered: *.example.%s", suffix)
}

func isSuffix(name string) bool {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return suffix == name
}

// describeWritten sets what the user sees about the name.
func (n *Name) describeWritten(written string) {
	n.Unicode = strings.TrimSuffix(n.ASCII, n.Base) + unicodeOf(n.Base)
	plain := strings.TrimSuffix(strings.ToLower(written), ".")
	if plain != n.Base && n.Note == "" {
		n.Note = n.Unicode + " is written " + n.ASCII + " in the DNS"
	}
	if _, known := publicsuffix.PublicSuffix(n.Base); !known && !privateSuffix(n.Base) {
		top := n.Base[strings.LastIndex(n.Base, ".")+1:]
		n.Warnings = append(n.Warnings, "\"."+top+"\" is not a known top-level domain: check the spelling. Public CAs issue no certificate for it unless it is new.")
	}
	n.Warnings = append(n.Warnings, findHomographs(n.Unicode)...)
}

// privateSuffix reports whether the list's rule for the name is in its private part, for which
// PublicSuffix returns false as it does without a rule.
func privateSuffix(base string) bool {
	suffix, _ := publicsuffix.PublicSuffix(base)
	return strings.Contains(suffix, ".")
}
