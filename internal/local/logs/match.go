package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// matcher finds the lines that a filter selects. It decodes a line only when its octets have what the filter requires.
type matcher struct {
	filter anchor.LogFilter
	parts  [][]byte // that the encoding of each selected line has
	levels [][]byte // of which it has one
	text   []byte   // that it has in lower case
}

func newMatcher(f anchor.LogFilter) *matcher {
	m := &matcher{filter: f}
	for _, part := range []string{string(f.Deployment), f.Function, f.RequestID, f.Path} {
		if part != "" {
			m.parts = append(m.parts, encoded(part))
		}
	}
	if n := slices.Index(anchor.LogLevels, f.Level); n >= 0 {
		for _, level := range anchor.LogLevels[n:] {
			m.levels = append(m.levels, []byte(`"level":"`+level+`"`))
		}
	}
	if f.Text != "" {
		m.text = bytes.ToLower(encoded(strings.ToLower(f.Text)))
	}
	return m
}

// encoded returns a string as Append writes it, without the quotes.
func encoded(s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string has an encoding
	}
	return text[1 : len(text)-1]
}

// match decodes a line and reports whether it is selected.
func (m *matcher) match(text []byte) (l anchor.LogLine, ok bool) {
	if m.isOutOfTime(text) {
		return l, false
	}
	for _, part := range m.parts {
		if !bytes.Contains(text, part) {
			return l, false
		}
	}
	if m.levels != nil && !slices.ContainsFunc(m.levels, func(level []byte) bool { return bytes.Contains(text, level) }) {
		return l, false
	}
	if m.text != nil && !bytes.Contains(bytes.ToLower(text), m.text) {
		return l, false
	}
	return l, json.Unmarshal(text, &l) == nil && m.filter.Matches(&l)
}

// isOutOfTime reads the time with which Append begins a line: decoding a million lines only for their times takes seconds.
func (m *matcher) isOutOfTime(text []byte) bool {
	digits, ok := bytes.CutPrefix(text, []byte(`{"time":`))
	if !ok || m.filter.Since == 0 && m.filter.Until == 0 {
		return false
	}
	at, n := int64(0), 0
	for n < len(digits) && n < 18 && digits[n] >= '0' && digits[n] <= '9' { // more digits would not fit
		at, n = 10*at+int64(digits[n]-'0'), n+1
	}
	if n == 0 || n == 18 {
		return false
	}
	return at < m.filter.Since || m.filter.Until != 0 && at >= m.filter.Until
}

// slack is by how much the time of a line, which its process sets, may be later than the time at which it was written.
const slack = time.Minute

// tooOld reports whether all lines of a file are older than the filter selects.
func (m *matcher) tooOld(in *os.File) (bool, error) {
	if in == nil || m.filter.Since == 0 {
		return false, nil
	}
	info, err := in.Stat()
	if err != nil {
		return false, fmt.Errorf("read the log: %w", err)
	}
	return info.ModTime().Add(slack).UnixMilli() < m.filter.Since, nil
}
