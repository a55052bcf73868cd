package cache

import "strings"

// A parser of Dictionaries (RFC 8941, section 4.2.2), as strict as the RFC demands. Of the values it
// keeps what directives need: the type, and the text of an Integer or a Boolean.

type kind int

const (
	kindOther kind = iota
	kindBoolean
	kindInteger
)

type member struct {
	kind kind
	text string
}

func (m member) seconds() Seconds {
	if m.kind != kindInteger {
		return invalid
	}
	return deltaSeconds(m.text) // a negative one is no delta-seconds
}

type dictionaryParser struct{ rest string }

func parseDictionary(s string) (map[string]member, bool) {
	p := dictionaryParser{strings.Trim(s, " ")}
	members := map[string]member{}
	for p.rest != "" {
		key, ok := p.key()
		if !ok {
			return nil, false
		}
		value := member{kindBoolean, "1"}
		if p.take('=') {
			if value, ok = p.itemOrList(); !ok {
				return nil, false
			}
		}
		if !p.parameters() {
			return nil, false
		}
		members[key] = value
		p.skip(" \t")
		if p.rest == "" {
			return members, true
		}
		if !p.take(',') {
			return nil, false
		}
		if p.skip(" \t"); p.rest == "" { // a comma at the end
			return nil, false
		}
	}
	return members, true
}

func (p *dictionaryParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *dictionaryParser) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

// run takes the longest prefix of characters that are in the set.
func (p *dictionaryParser) run(in func(c byte) bool) string {
	n := 0
	for n < len(p.rest) && in(p.rest[n]) {
		n++
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isAlpha(c byte) bool { return isLower(c | 0x20) }

// key parses section 4.2.3.3.
func (p *dictionaryParser) key() (string, bool) {
	if p.rest == "" || !isLower(p.rest[0]) && p.rest[0] != '*' {
		return "", false
	}
	return p.run(func(c byte) bool { return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0 }), true
}

// itemOrList parses an Item or an Inner List (section 4.2.1.2), without its parameters.
func (p *dictionaryParser) itemOrList() (member, bool) {
	if !p.take('(') {
		return p.bareItem()
	}
	for {
		p.skip(" ")
		if p.take(')') {
			return member{}, true
		}
		if _, ok := p.bareItem(); !ok || !p.parameters() {
			return member{}, false
		}
		if p.rest == "" || p.rest[0] != ' ' && p.rest[0] != ')' {
			return member{}, false
		}
	}
}

// parameters parses section 4.2.3.2. No directive has any.
func (p *dictionaryParser) parameters() bool {
	for p.take(';') {
		p.skip(" ")
		if _, ok := p.key(); !ok {
			return false
		}
		if p.take('=') {
			if _, ok := p.bareItem(); !ok {
				return false
			}
		}
	}
	return true
}

// bareItem parses section 4.2.3.1.
func (p *dictionaryParser) bareItem() (member, bool) {
	if p.rest == "" {
		return member{}, false
	}
	switch c := p.rest[0]; {
	case c == '-' || isDigit(c):
		return p.number()
	case c == '"':
		return member{}, p.text()
	case c == ':':
		return member{}, p.binary()
	case c == '?':
		return p.boolean()
	case isAlpha(c) || c == '*':
		p.run(isTokenChar)
		return member{}, true
	}
	return member{}, false
}

func isTokenChar(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
}

// number parses an Integer or a Decimal (section 4.2.4).
func (p *dictionaryParser) number() (member, bool) {
	sign := ""
	if p.take('-') {
		sign = "-"
	}
	whole := p.run(isDigit)
	if whole == "" || len(whole) > 15 {
		return member{}, false
	}
	if !p.take('.') {
		return member{kindInteger, sign + whole}, true
	}
	fraction := p.run(isDigit)
	return member{}, len(whole) <= 12 && len(fraction) >= 1 && len(fraction) <= 3
}

// text parses a String (section 4.2.5).
func (p *dictionaryParser) text() bool {
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return true
		case c == '\\':
			if i++; i == len(p.rest) || p.rest[i] != '"' && p.rest[i] != '\\' {
				return false
			}
		case c < 0x20 || c > 0x7e:
			return false
		}
	}
	return false
}

// binary parses a Byte Sequence (section 4.2.7).
func (p *dictionaryParser) binary() bool {
	p.take(':')
	p.run(func(c byte) bool { return isAlpha(c) || isDigit(c) || strings.IndexByte("+/=", c) >= 0 })
	return p.take(':')
}

func (p *dictionaryParser) boolean() (member, bool) {
	p.take('?')
	for _, value := range []string{"0", "1"} {
		if p.take(value[0]) {
			return member{kindBoolean, value}, true
		}
	}
	return member{}, false
}
