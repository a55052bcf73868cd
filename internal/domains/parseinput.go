package domains

import (
	"net/netip"
	"strings"
	"unicode"
)

// hostOf returns the host of what a person pasted: a name, or a URL, whose other parts are
// dropped with a note. It refuses ports and user names, which would not do what they seem to.
func hostOf(input string) (host, note string, err error) {
	text := strings.TrimFunc(input, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' })
	if len(text) > maxInput {
		return "", "", errBadName("the domain is %d octets long", len(text)).Hintf("A domain has at most %d octets.", maxName)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\\' || r == '%' }); i >= 0 {
		return "", "", errBadName("%q has a space or another character that no domain has", text).Hintf("Enter one name, such as www.example.com.")
	}
	host, isURL, err := cutScheme(text)
	if err != nil {
		return "", "", err
	}
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host, isURL = host[:i], true
	}
	if strings.Contains(host, "@") {
		return "", "", errBadName("%q has a user name before an @", host).Hintf("Enter only the domain: %s", host[strings.LastIndex(host, "@")+1:])
	}
	if host, err = cutPort(host, text); err != nil {
		return "", "", err
	}
	if isURL {
		note = "took the domain " + host + " from the URL; a domain is attached as a whole, without a path"
	}
	return host, note, nil
}

func cutScheme(text string) (rest string, isURL bool, err error) {
	scheme, rest, found := strings.Cut(text, "//")
	switch {
	case !found || strings.ContainsAny(scheme, "/?#."):
		return text, false, nil
	case scheme == "" || strings.EqualFold(scheme, "http:") || strings.EqualFold(scheme, "https:"):
		return rest, true, nil
	}
	return "", false, errBadName("%q is not a web address", text).Hintf("Enter only the domain, for example www.example.com.")
}

// cutPort accepts the default ports of the schemes.
func cutPort(host, text string) (string, error) {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || strings.HasPrefix(host, "[") {
		return "", errBadName("%q is an IP address", host).Hintf("Attach a domain name and point its DNS at the address.")
	}
	name, port, found := strings.Cut(host, ":")
	lower := strings.ToLower(text)
	switch {
	case !found:
		return host, nil
	case port == "443" && strings.HasPrefix(lower, "https:"), port == "80" && strings.HasPrefix(lower, "http:"):
		return name, nil
	}
	return "", errBadName("%q has a port", host).Hintf("Domains are served on ports 80 and 443. Enter the domain without a port: %s", name)
}
