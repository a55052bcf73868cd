package domains

import (
	"errors"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

var (
	label63 = strings.Repeat("a", 63)
	name253 = strings.Repeat(strings.Repeat("a", 49)+".", 5) + "abc" // 5×50 and 3
)

// accepted are inputs and the names they are.
var accepted = []struct{ in, want string }{
	// plain names, any depth, any suffix
	{"example.com", "example.com"},
	{"www.example.com", "www.example.com"},
	{"a.b.c.d.e.f.example.com", "a.b.c.d.e.f.example.com"},
	{"example.co.uk", "example.co.uk"},
	{"shop.example.co.uk", "shop.example.co.uk"},
	{"example.com.au", "example.com.au"},
	{"www.city.kawasaki.jp", "www.city.kawasaki.jp"}, // an exception of the list
	{"a.b.kawasaki.jp", "a.b.kawasaki.jp"},
	{"kawasaki.jp", "kawasaki.jp"}, // the list makes only the names below it suffixes
	{"www.ck", "www.ck"},
	{"me.github.io", "me.github.io"}, // below a private suffix
	{"x.s3.amazonaws.com", "x.s3.amazonaws.com"},
	{"example.museum", "example.museum"},
	{"example.photography", "example.photography"},
	{"shop.example.test", "shop.example.test"},
	{"intranet.example.internal", "intranet.example.internal"},
	{"t.co", "t.co"},
	{"x.com", "x.com"},
	{"1.example.com", "1.example.com"},
	{"1and1.com", "1and1.com"},
	{"123.com", "123.com"},
	{"1.2.3.4.example.com", "1.2.3.4.example.com"},
	{"0x7f.com", "0x7f.com"},
	{"a-b.example.com", "a-b.example.com"},
	{"a-b-c-d.example.com", "a-b-c-d.example.com"},
	{"a.b--c.example.com", "a.b--c.example.com"}, // hyphens at the second and third place only
	{label63 + ".com", label63 + ".com"},
	{name253, name253},
	// case, dots, space
	{"EXAMPLE.COM", "example.com"},
	{"WwW.eXaMpLe.CoM", "www.example.com"},
	{"example.com.", "example.com"},
	{"www.example.com.", "www.example.com"},
	{name253 + ".", name253},
	{"  example.com", "example.com"},
	{"example.com\n", "example.com"},
	{"\t example.com \r\n", "example.com"},
	{"\ufeffexample.com", "example.com"},
	{"\u00a0example.com\u00a0", "example.com"},
	{"example。com", "example.com"}, // U+3002, UTS #46 maps it to a dot
	{"example．com", "example.com"}, // U+FF0E
	{"example｡com", "example.com"}, // U+FF61
	{"example.com。", "example.com"},
	// wildcards
	{"*.example.com", "*.example.com"},
	{"*.a.b.example.com", "*.a.b.example.com"},
	{"*.example.co.uk", "*.example.co.uk"},
	{"*.EXAMPLE.com.", "*.example.com"},
	{"*.bücher.de", "*.xn--bcher-kva.de"},
	{"*.me.github.io", "*.me.github.io"},
	// internationalized (IdnaTestV2.txt and RFC 3492 §7.1 among others)
	{"bücher.de", "xn--bcher-kva.de"},
	{"BÜCHER.de", "xn--bcher-kva.de"},
	{"bu\u0308cher.de", "xn--bcher-kva.de"}, // decomposed, NFC makes one of it
	{"xn--bcher-kva.de", "xn--bcher-kva.de"},
	{"XN--BCHER-KVA.DE", "xn--bcher-kva.de"},
	{"faß.de", "xn--fa-hia.de"}, // non-transitional: not fass.de
	{"xn--fa-hia.de", "xn--fa-hia.de"},
	{"βόλος.com", "xn--nxasmm1c.com"}, // final sigma stays
	{"ΒΌΛΟΣ.com", "xn--nxasmq6b.com"},
	{"日本語.jp", "xn--wgv71a119e.jp"},
	{"日本語。jp", "xn--wgv71a119e.jp"},
	{"例え.テスト", "xn--r8jz45g.xn--zckzah"},
	{"пример.испытание", "xn--e1afmkfd.xn--80akhbyknj4f"},
	{"президент.рф", "xn--d1abbgf6aiiy.xn--p1ai"},
	{"中国.中国", "xn--fiqs8s.xn--fiqs8s"},
	{"한국.한국", "xn--3e0b707e.xn--3e0b707e"},
	{"مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"},
	{"דוגמה.co.il", "xn--6dbbec0c.co.il"},
	{"उदाहरण.परीक्षा", "xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g"},
	{"ความ.com", "xn--42c2dra8b.com"},
	{"español.com", "xn--espaol-zwa.com"},
	{"café.fr", "xn--caf-dma.fr"},
	{"Ⅷ.com", "viii.com"}, // compatibility
	{"㎏.com", "kg.com"},
	{"ｅｘａｍｐｌｅ.com", "example.com"},       // full width
	{"ﬁsh.com", "fish.com"},              // a ligature
	{"exa\u00admple.com", "example.com"}, // a soft hyphen is ignored
	{"exam\u200bple.com", "example.com"}, // and a zero-width space
	{"क्\u200dष.com", "xn--11b2ezcw70k.com"},
	{"ك\u0628\u200cد.com", "xn--ngbo2d997l.com"},
	{"☕.example.com", "xn--53h.example.com"},
	{"i❤.ws", "xn--i-7iq.ws"},
	{"straße.example.com", "xn--strae-oqa.example.com"},
	{"öbb.at", "xn--bb-eka.at"},
	{"ÖBB.at", "xn--bb-eka.at"},
	// URLs pasted whole
	{"https://example.com", "example.com"},
	{"http://example.com", "example.com"},
	{"HTTPS://EXAMPLE.COM/", "example.com"},
	{"https://www.example.com/path/to?x=1#y", "www.example.com"},
	{"https://example.com?x=1", "example.com"},
	{"https://example.com#top", "example.com"},
	{"https://example.com:443/", "example.com"},
	{"http://example.com:80", "example.com"},
	{"//example.com/x", "example.com"},
	{"example.com/", "example.com"},
	{"example.com/path", "example.com"},
	{"example.com/a//b", "example.com"},
	{"example.com?x", "example.com"},
	{"https://bücher.de/ü", "xn--bcher-kva.de"},
	{"https://example.com./", "example.com"},
	{"https://example.com/?to=user@example.org", "example.com"},
}

// refused are inputs, each with a word of its error.
var refused = []struct{ in, says string }{
	// nothing, and things other than names
	{"", "empty"}, {" ", "empty"}, {"\n", "empty"}, {".", "empty"}, {"..", "empty part"}, {"...", "empty part"},
	{"*", "wildcard"}, {"*.", "empty"}, {"/", "empty"}, {"https://", "empty"}, {"https:///path", "empty"}, {"?", "empty"},
	{"-", "hyphen"}, {"--", "hyphen"}, {"@", "user name"},
	{"example", "single word"}, {"com", "single word"}, {"example.", "single word"}, {"xn--p1ai", "single word"}, {"рф", "single word"},
	{"localhost", "every machine"}, {"LOCALHOST", "every machine"}, {"localhost.", "every machine"},
	{"shop.localhost", "public DNS"}, {"a.b.localhost", "public DNS"}, {"printer.local", "public DNS"}, {"x.invalid", "public DNS"},
	{"example.onion", "public DNS"}, {"x.alt", "public DNS"}, {"4.3.2.1.in-addr.arpa", "public DNS"}, {"home.arpa", "public DNS"}, {"x.home.arpa", "public DNS"},
	// labels and lengths
	{".example.com", "empty part"}, {"example..com", "empty part"}, {"a..b.example.com", "empty part"}, {"example.com..", "empty part"}, {"..example.com", "empty part"},
	{"example。。com", "empty part"}, {"\u00ad.example.com", "empty part"}, {"\u200b.com", "empty part"},
	{"-example.com", "hyphen"}, {"example-.com", "hyphen"}, {"www.-a.com", "hyphen"}, {"www.a-.com", "hyphen"}, {"example.-com", "hyphen"}, {"example.com-", "hyphen"},
	{label63 + "a.com", "64 octets"}, {"www." + label63 + "a.com", "64 octets"}, {strings.Repeat("ü", 62) + ".com", "octets"},
	{"a" + name253, "254 octets"}, {"*." + name253, "255 octets"}, {strings.Repeat("a.", 127) + "example.com", "octets"}, {strings.Repeat("a", 3000), "octets"},
	// characters
	{"exa mple.com", "space"}, {"example.com example.org", "space"}, {"example .com", "space"}, {"example.com\texample.org", "space"}, {"exam\x00ple.com", "space"},
	{"exam\x7fple.com", "space"}, {"example.com\\x", "space"}, {"http:\\\\example.com", "space"}, {"exam%70le.com", "space"}, {"%65xample.com", "space"},
	{"a_b.example.com", "underscore"}, {"_acme-challenge.example.com", "underscore"}, {"_dmarc.example.com", "underscore"}, {"example_.com", "underscore"}, {"ex＿ample.com", "not a valid"},
	{"exam!ple.com", "not a valid"}, {"example.com,example.org", "not a valid"}, {"example,com", "not a valid"}, {"example;com.de", "not a valid"}, {"'example'.com", "not a valid"}, {`"example.com"`, "not a valid"},
	{"<example.com>", "not a valid"}, {"(example.com)", "not a valid"}, {"exam$ple.com", "not a valid"}, {"exam&ple.com", "not a valid"}, {"exam=ple.com", "not a valid"}, {"exam+ple.com", "not a valid"},
	{"exam~ple.com", "not a valid"}, {"exam^ple.com", "not a valid"}, {"exam|ple.com", "not a valid"}, {"{example}.com", "not a valid"}, {"exam`ple.com", "not a valid"},
	{"exam\xffple.com", "UTF-8"}, {"\xc3\x28.com", "UTF-8"}, {"exam\ufffdple.com", "not a valid"}, {"exam\U000e0001ple.com", "not a valid"}, {"exam\u2044ple.com", "looks like"}, {"example.com\u2215a.example.org", "looks like"}, {"xn--example-4d7c.com", "looks like"},
	{"example\u2024com", "not a valid"}, {"a\u2024b.com", "not a valid"}, {"℀.com", "not a valid"}, {"example．．com", "empty part"},
	// wildcards
	{"*.com", "everybody"}, {"*.co.uk", "everybody"}, {"*.github.io", "everybody"}, {"*.de.", "everybody"}, {"*.kawasaki.jp", "everybody"}, {"*.ck", "everybody"}, {"www.*.com", "wildcard"}, {"*example.com", "wildcard"},
	{"*a.example.com", "wildcard"}, {"a*.example.com", "wildcard"}, {"w*w.example.com", "wildcard"}, {"**.example.com", "wildcard"}, {"*.*.example.com", "wildcard"}, {"example.*", "wildcard"},
	{"*..example.com", "empty part"}, {"＊.example.com", "not a valid"}, {"*.localhost", "every machine"}, {"*.1.2.3.4", "IP address"}, {"*.-a.com", "hyphen"},
	// public suffixes
	{"co.uk", "public suffix"}, {"com.au", "public suffix"}, {"x.kawasaki.jp", "public suffix"}, {"github.io", "public suffix"}, {"vercel.app", "public suffix"},
	{"cloudfront.net", "public suffix"}, {"co.uk.", "public suffix"}, {"CO.UK", "public suffix"}, {"公司.cn", "public suffix"}, {"foo.ck", "public suffix"}, {"https://github.io/", "public suffix"},
	// addresses, in all the forms that some client takes for one
	{"127.0.0.1", "IP address"}, {"8.8.8.8", "IP address"}, {"1.2.3.4.", "IP address"}, {"255.255.255.255", "IP address"}, {"999.999.999.999", "IP address"}, {"1.2.3", "IP address"}, {"1.2", "IP address"},
	{"127.1", "IP address"}, {"2130706433", "IP address"}, {"0x7f000001", "IP address"}, {"0x7f.0.0.1", "IP address"}, {"0X7F.0x0.0.0x1", "IP address"}, {"0x", "IP address"}, {"017700000001", "IP address"},
	{"0177.0.0.01", "IP address"}, {"1.2.3.4.5", "IP address"}, {"example.1", "IP address"}, {"example.com.0x1", "IP address"}, {"１.２.３.４", "IP address"}, {"1。2。3。4", "IP address"}, {"①.②.③.④", "IP address"},
	{"::1", "IP address"}, {"[::1]", "IP address"}, {"[::1]:443", "IP address"}, {"2001:db8::1", "IP address"}, {"::ffff:1.2.3.4", "IP address"}, {"fe80::1", "IP address"}, {"[2001:db8::1]", "IP address"},
	{"https://1.2.3.4/", "IP address"}, {"http://[::1]/", "IP address"}, {"https://0x7f.1", "IP address"}, {"[1.2.3.4]", "IP address"}, {"[v1.x]", "IP address"}, {"example.com.1", "IP address"},
	// ports, users, other schemes
	{"example.com:80", "port"}, {"example.com:443", "port"}, {"example.com:8080", "port"}, {"example.com:", "port"}, {"https://example.com:8443/", "port"}, {"http://example.com:443", "port"},
	{"https://example.com:80", "port"}, {"localhost:3000", "port"}, {"example.com:https", "port"}, {"*.example.com:443", "port"}, {"1.2.3.4:80", "port"},
	{"user@example.com", "user name"}, {"https://user@example.com/", "user name"}, {"https://user:secret@example.com/", "user name"}, {"mailto:me@example.com", "user name"}, {"https://example.com@evil.example.org", "user name"},
	{"ftp://example.com", "web address"}, {"ws://example.com", "web address"}, {"file:///etc/passwd", "web address"}, {"javascript://example.com", "web address"}, {"https:example.com", "port"}, {"https:/example.com", "port"},
	// punycode tricks
	{"xn--.com", ""}, {"xn---.com", ""}, {"xn--a.com", ""}, {"xn--example-.com", ""}, {"xn--abc.com", ""}, {"xn--0.com", ""},
	{"xn--99999999.com", ""}, {"xn--a-ecp.ru", ""}, {"xn--xn--a--gua.pt", ""}, {"xn--bcher-kva-.de", ""}, {"xn--bücher.de", ""}, {"xn--BCHER-kv.de", ""},
	{"xn--fiqs8.com", ""}, {"xn--1ch.com", ""}, {"xn--fa-hia-.de", ""}, {"xn--www-.example.com", ""}, {"xn--a-yoc.com", ""}, {"xn--ls8h=.la", ""},
	{"ab--cd.com", ""}, {"r3---sn.example.com", ""}, {"xx--bcher-kva.de", ""}, {"xn--xn---epa.com", ""},
	{strings.Repeat("xn--", 20) + ".com", ""}, {"xn--" + strings.Repeat("9", 59) + ".com", ""},
	// joiners, marks and directions (RFC 5892 A.1, A.2; RFC 5893)
	{"a\u200cb.com", ""}, {"a\u200db.com", ""}, {"\u0301a.com", ""}, {"اa.com", ""}, {"aא.com", ""}, {"0א.com", ""}, {"א-.com", "hyphen"}, {"ab\u0660א.com", ""},
}

func TestParse_Accepts(t *testing.T) {
	for _, row := range accepted {
		name, err := Parse(row.in)
		if err != nil {
			t.Errorf("Parse(%q): %v (%v)", row.in, err, errors.Unwrap(err))
			continue
		}
		if name.ASCII != row.want {
			t.Errorf("Parse(%q) = %q, want %q", row.in, name.ASCII, row.want)
		}
		checkName(t, name)
	}
}

func TestParse_Refuses(t *testing.T) {
	for _, row := range refused {
		name, err := Parse(row.in)
		if err == nil {
			t.Errorf("Parse(%q) = %q, want an error", row.in, name.ASCII)
			continue
		}
		if anchor.KindOf(err) != anchor.KindInvalid || anchor.CodeOf(err) != "bad_domain" || anchor.HintOf(err) == "" {
			t.Errorf("Parse(%q): error %q of kind %s, code %q, hint %q", row.in, err, anchor.KindOf(err), anchor.CodeOf(err), anchor.HintOf(err))
		}
		if !strings.Contains(err.Error()+anchor.HintOf(err), row.says) {
			t.Errorf("Parse(%q): error %q does not speak of %q", row.in, err, row.says)
		}
	}
}

// checkName fails the test unless all that Parse promises holds.
func checkName(t *testing.T, n Name) {
	t.Helper()
	labels := strings.Split(n.Base, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("%q has the label %q", n.ASCII, label)
		}
	}
	if len(labels) < 2 || len(n.ASCII) > 253 || isIP(n.Base) {
		t.Errorf("%q cannot be attached", n.ASCII)
	}
	if n.ASCII != n.Base && (!n.Wildcard || n.ASCII != "*."+n.Base) {
		t.Errorf("name %q, base %q, wildcard %v", n.ASCII, n.Base, n.Wildcard)
	}
	if n.Base != n.Registrable && !strings.HasSuffix(n.Base, "."+n.Registrable) || n.Apex != (n.ASCII == n.Registrable) {
		t.Errorf("%q is registered as %q, apex %v", n.Base, n.Registrable, n.Apex)
	}
	for _, form := range []string{n.ASCII, n.Unicode} {
		if again, err := Parse(form); err != nil || again.ASCII != n.ASCII {
			t.Errorf("Parse(%q), a form of %q, returns %q, %v", form, n.ASCII, again.ASCII, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, row := range accepted {
		f.Add(row.in)
	}
	for _, row := range refused {
		f.Add(row.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		name, err := Parse(in)
		if err == nil {
			checkName(t, name)
		} else if anchor.KindOf(err) != anchor.KindInvalid {
			t.Errorf("Parse(%q): error %v is not about the input", in, err)
		}
	})
}

func TestParse_Notes(t *testing.T) {
	for in, want := range map[string]string{
		"example.com":               "",
		"Example.COM.":              "",
		"https://example.com/shop":  "took the domain example.com from the URL",
		"example.com/shop":          "took the domain example.com from the URL",
		"bücher.de":                 "bücher.de is written xn--bcher-kva.de in the DNS",
		"exam\u200bple.com":         "example.com is written example.com",
		"https://user.example.com/": "user.example.com",
	} {
		name, err := Parse(in)
		if err != nil || !strings.Contains(name.Note, want) || (want == "") != (name.Note == "") {
			t.Errorf("Parse(%q) notes %q, %v; want %q", in, name.Note, err, want)
		}
	}
}

func TestParse_Warns(t *testing.T) {
	for in, want := range map[string]string{
		"example.com":         "",
		"bücher.de":           "",
		"日本語テスト.jp":           "",
		"tokyo東京タワー.jp":       "",
		"пример.рф":           "",
		"президент.com":       "",
		"example.test":        "not a known top-level domain",
		"example.con":         "not a known top-level domain",
		"me.github.io":        "",
		"аpple.com":           "mixes letters of Cyrillic and Latin",
		"gооgle.com":          "mixes letters of Cyrillic and Latin",
		"xn--pple-43d.com":    "mixes letters of Cyrillic and Latin",
		"аррӏе.com":           `looks like "apple"`,
		"xn--80ak6aa92e.com":  `looks like "apple"`,
		"ο.com":               `looks like "o"`,
		"shop.аррӏе.com":      `looks like "apple"`,
		"www.exαmple.com":     "mixes letters of Greek and Latin",
		"*.раураl.example.de": "mixes letters of Cyrillic and Latin",
	} {
		name, err := Parse(in)
		warnings := strings.Join(name.Warnings, "\n")
		if err != nil || !strings.Contains(warnings, want) || (want == "") != (warnings == "") {
			t.Errorf("Parse(%q) warns %q, %v; want %q", in, warnings, err, want)
		}
	}
}

func TestParse_RegistrablePart(t *testing.T) {
	for in, want := range map[string]string{
		"example.com":          "example.com",
		"a.b.example.com":      "example.com",
		"*.example.com":        "example.com",
		"www.example.co.uk":    "example.co.uk",
		"shop.me.github.io":    "me.github.io",
		"www.city.kawasaki.jp": "city.kawasaki.jp",
		"a.b.c.kawasaki.jp":    "b.c.kawasaki.jp",
		"www.example.test":     "example.test",
	} {
		name, err := Parse(in)
		if err != nil || name.Registrable != want || name.Apex != (in == want) {
			t.Errorf("Parse(%q): registered %q, apex %v, %v; want %q", in, name.Registrable, name.Apex, err, want)
		}
	}
}
