package dnscheck

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// canonicalData returns a record's value in the one form in which values are compared: addresses as
// netip writes them, names in lower case with the final dot, a TXT's strings joined (as RFC
// 7208 section 3.3 reads them), a CAA as in a zone file.
func canonicalData(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.A:
		addr, _ := netip.AddrFromSlice(rr.A.To4())
		return addr.String()
	case *dns.AAAA:
		addr, _ := netip.AddrFromSlice(rr.AAAA.To16())
		return addr.String()
	case *dns.CNAME:
		return dns.CanonicalName(rr.Target)
	case *dns.TXT:
		return unescapeText(strings.Join(rr.Txt, ""))
	case *dns.CAA:
		return strconv.Itoa(int(rr.Flag)) + " " + caaTag(rr.Tag) + " " + strconv.Quote(rr.Value)
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String())
}

// caaTag is a CAA property's name, "?" for each octet that RFC 8659 section 4.1 does
// not allow in one.
func caaTag(name string) string {
	if name == "" {
		return "?"
	}
	octets := []byte(strings.ToLower(name))
	for i, c := range octets {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			octets[i] = '?'
		}
	}
	return string(octets)
}

// canonicalValue returns the value that a user has to set in the same form. A value that is not an
// address stays as it is and equals nothing.
func canonicalValue(r anchor.DNSRecord) string {
	switch r.Type {
	case "A", "AAAA":
		if addr, err := netip.ParseAddr(strings.TrimSpace(r.Value)); err == nil {
			return addr.Unmap().String()
		}
	case "CNAME":
		return dns.CanonicalName(strings.TrimSpace(r.Value))
	}
	return r.Value
}

// unescapeText undoes the \" \\ and \DDD of presentation format, in which miekg/dns
// keeps character strings (RFC 1035 section 5.1).
func unescapeText(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		if i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 10, 8); err == nil {
				out, i = append(out, byte(n)), i+3
				continue
			}
		}
		i++
		out = append(out, s[i])
	}
	return string(out)
}
