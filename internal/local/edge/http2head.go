package edge

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// headers begins a header block.
func (c *http2Conn) headers(f frameHead, payload []byte) {
	in := &c.in
	padding := 0
	if f.has(flagPadded) {
		if len(payload) < 1 {
			c.fail(codeProtocol)
			return
		}
		padding, payload = int(payload[0]), payload[1:]
	}
	in.priority = nil
	if f.has(flagHasPriority) {
		if len(payload) < prioritySize {
			c.fail(codeProtocol)
			return
		}
		in.priority, payload = payload[:prioritySize], payload[prioritySize:]
	}
	if f.stream == 0 || padding > len(payload) {
		c.fail(codeProtocol)
		return
	}
	payload = payload[:len(payload)-padding]
	in.head = f
	if f.has(flagEndHeaders) {
		c.endBlock(payload)
		return
	}
	in.open, in.frames = true, 1
	in.fragments = append(in.fragments[:0], payload...)
	if in.priority != nil {
		in.priority = append([]byte(nil), in.priority...)
	}
}

// continuation reads the rest of a header block. A client could do so for ever (CVE-2024-27316).
func (c *http2Conn) continuation(f frameHead, payload []byte) {
	in := &c.in
	if in.frames++; !in.open || len(in.fragments)+len(payload) > 2*int(in.limit) {
		c.fail(codeProtocol)
		return
	}
	if in.frames > mostFrames {
		c.fail(codeEnhanceYourCalm)
		return
	}
	in.fragments = append(in.fragments, payload...)
	if f.has(flagEndHeaders) {
		in.open = false
		c.endBlock(in.fragments)
		in.fragments = nil
	}
}

// endBlock answers a request, or passes it on.
func (c *http2Conn) endBlock(block []byte) {
	in := &c.in
	clear(in.fields)
	in.fields, in.size, in.tooLarge = in.fields[:0], 0, false
	_, err := in.decoder.Write(block)
	if err == nil {
		err = in.decoder.Close()
	}
	if err != nil {
		c.fail(codeCompression)
		return
	}
	id := in.head.stream
	switch {
	case id%2 == 0, c.isClosed(id):
		c.fail(codeProtocol)
	case id <= in.opened: // trailers, if net/http agrees
		in.passBlock()
		if in.head.has(flagEndStream) {
			c.out.endStream(id, endedByClient)
		}
	default:
		in.opened = id
		if c.answer() {
			return
		}
		in.lastRequest = time.Now()
		if !in.isMalformed() {
			c.out.openStream(id, in.head.has(flagEndStream))
		}
		in.passBlock()
	}
}

// isMalformed reports whether net/http resets the stream as if it had never been opened (RFC 9113, section 8.1.1).
func (in *http2In) isMalformed() bool {
	if in.tooLarge {
		return false
	}
	var pseudo []string
	for i, f := range in.fields {
		if !httpguts.ValidHeaderFieldValue(f.Value) {
			return true
		}
		if strings.HasPrefix(f.Name, ":") {
			if !slices.Contains(pseudoFields, f.Name) || slices.Contains(pseudo, f.Name) || i > len(pseudo) {
				return true
			}
			pseudo = append(pseudo, f.Name)
		} else if !httpguts.ValidHeaderFieldName(f.Name) || strings.ContainsFunc(f.Name, isUpper) {
			return true
		}
	}
	return false
}

var pseudoFields = []string{":method", ":scheme", ":path", ":authority", ":protocol"}

func isUpper(r rune) bool { return 'A' <= r && r <= 'Z' }

// keepField is called for each field of a block.
func (in *http2In) keepField(f hpack.HeaderField) {
	if in.size += f.Size(); in.size > in.limit || in.tooLarge {
		in.tooLarge = true
		return
	}
	in.fields = append(in.fields, f)
}

// passBlock encodes the block for net/http without a dynamic table.
func (in *http2In) passBlock() {
	block := in.encoded[:0]
	for _, f := range in.fields {
		if in.tooLarge && (!strings.HasPrefix(f.Name, ":") || len(f.Value) > maxFrameSize/4) {
			continue
		}
		block = appendField(block, f.Name, f.Value, f.Sensitive)
	}
	if in.tooLarge { // net/http answers 431 if the fields are in one frame; so these are short
		for n := in.limit/33 + 1; n > 0; n-- {
			block = appendField(block, "a", "", false)
		}
	}
	if in.encoded = block[:0]; cap(block) > bufferSize {
		in.encoded = nil
	}
	f := frameHead{kind: frameHeaders, flags: in.head.flags & flagEndStream, stream: in.head.stream}
	if in.priority != nil {
		f.flags |= flagHasPriority
	}
	room := maxFrameSize - len(in.priority)
	for first := true; first || len(block) > 0; first = false {
		part := block[:min(len(block), room)]
		if block = block[len(part):]; len(block) == 0 {
			f.flags |= flagEndHeaders
		}
		f.length = len(part)
		if first {
			f.length += len(in.priority)
		}
		in.ready = appendFrameHead(in.ready, f)
		if first {
			in.ready = append(in.ready, in.priority...)
		}
		in.ready = append(in.ready, part...)
		f, room = frameHead{kind: frameContinuation, stream: f.stream}, maxFrameSize
	}
	in.priority = nil
	if cap(in.fields) > 64 {
		in.fields = nil
	}
}

// plainRequest returns the block as a plain GET, if it is one.
func (in *http2In) plainRequest() (r plainGet, ok bool) {
	const method, scheme, path, authority, all = 1, 2, 4, 8, 15
	pseudo, regular := 0, false
	if !in.head.has(flagEndStream) || in.tooLarge || !in.dependsOnOthers() {
		return r, false
	}
	for i := range in.fields {
		f := &in.fields[i]
		if !strings.HasPrefix(f.Name, ":") {
			regular = true
			if !r.setHTTP2Field(f) {
				return r, false
			}
			continue
		}
		seen := 0
		switch f.Name {
		case ":method":
			seen, ok = method, f.Value == "GET"
		case ":scheme":
			seen, ok = scheme, f.Value == "https"
		case ":path":
			seen, ok = path, r.setTarget(bytesView(f.Value))
		case ":authority":
			seen, ok = authority, r.setHost(bytesView(f.Value)) && f.Value != ""
		default:
			ok = false
		}
		if !ok || regular || pseudo&seen != 0 {
			return r, false
		}
		pseudo |= seen
	}
	return r, pseudo == all
}

// dependsOnOthers reports whether the stream does not depend on itself, which is an error.
func (in *http2In) dependsOnOthers() bool {
	return in.priority == nil || binary.BigEndian.Uint32(in.priority)&maskReserved != in.head.stream
}

func (r *plainGet) setHTTP2Field(f *hpack.HeaderField) bool {
	if v := f.Value; v != "" && (v[0] == ' ' || v[len(v)-1] == ' ') {
		return false
	}
	if f.Name == "te" {
		return f.Value == "trailers"
	}
	return r.setField(bytesView(f.Name), bytesView(f.Value))
}

// bytesView returns s as octets without a copy. They must not be changed.
func bytesView(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// appendField appends a literal field that is not indexed (RFC 7541, section 6.2.2), or is never to be
// (6.2.3).
func appendField(b []byte, name, value string, sensitive bool) []byte {
	kind := byte(0x00)
	if sensitive {
		kind = 0x10
	}
	b = append(b, kind)
	b = append(appendLength(b, len(name)), name...)
	return append(appendLength(b, len(value)), value...)
}

// appendLength appends the length of a string that has no Huffman code (RFC 7541, sections 5.1 and
// 5.2).
func appendLength(b []byte, n int) []byte {
	if n < 0x7f {
		return append(b, byte(n))
	}
	return binary.AppendUvarint(append(b, 0x7f), uint64(n-0x7f))
}

// appendFieldLines appends lines of HTTP/1.1 as fields. An empty line ends them.
func appendFieldLines(b, lines []byte) []byte {
	for {
		line, n := nextLine(lines)
		if len(line) == 0 {
			return b
		}
		lines = lines[n:]
		colon := 0
		for line[colon] != ':' {
			colon++
		}
		b = appendLength(append(b, 0x00), colon)
		for _, octet := range line[:colon] {
			b = append(b, lowerToken[octet])
		}
		value := line[colon+2:]
		b = append(appendLength(b, len(value)), value...)
	}
}
