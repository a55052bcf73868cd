package egress

import (
	"net/netip"
	"slices"
	"testing"
)

func TestNameservers_OfResolvConf(t *testing.T) {
	got := Nameservers("# nameserver 192.0.2.9\nsearch example.com\nnameserver 169.254.169.253\nnameserver\tfe80::1%eth0\nnameserver\nnameserver nonsense\noptions edns0")
	want := []netip.Addr{netip.MustParseAddr("169.254.169.253"), netip.MustParseAddr("fe80::1%eth0")}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRules_DenyListenerPort(t *testing.T) {
	for listener, want := range map[string][]netip.Prefix{
		"127.0.0.1:3080":          loopback,
		"127.0.0.2:3080":          loopback,
		"[::1]:3080":              loopback,
		"[::ffff:127.0.0.1]:3080": loopback,
		"0.0.0.0:3080":            everywhere,
		"[::]:3080":               everywhere,
		"192.0.2.1:3080":          everywhere,
	} {
		var got []netip.Prefix
		for _, r := range Rules(netip.MustParseAddrPort(listener), nil) {
			if r.Port == 3080 && !r.Allow {
				got = append(got, r.To)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: denied at %v, want %v", listener, got, want)
		}
	}
}

func TestNameservers_OmitZone(t *testing.T) {
	rules := Rules(netip.MustParseAddrPort("127.0.0.1:3080"), []netip.Addr{netip.MustParseAddr("fe80::1%eth0")})
	want := Rule{To: netip.MustParsePrefix("fe80::1/128"), Port: 53, Allow: true}
	if !slices.Contains(rules, want) {
		t.Errorf("%v is not in %v", want, rules)
	}
}
