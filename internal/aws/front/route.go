package front

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// record is a deployment as viewer-request.js reads it.
type record struct {
	BasePath string            `json:"b"`
	Routes   [][2]string       `json:"r"` // pattern and function, "" for a file; the first match wins
	Hosts    map[string]string `json:"h"` // function -> host of its URL on the deployment's own alias
	// Tell reports whether functions receive Hosts: external middleware, which runs before one,
	// may send requests to another.
	Tell bool `json:"m,omitempty"`
	// SkewID is what requests of the deployment's own pages name.
	SkewID string `json:"s,omitempty"`
	// Project is the folder of the deployment's own files, "" for deployments of earlier versions of
	// Anchor.
	Project anchor.ProjectID `json:"p,omitempty"`
}

// makeRecord returns an error when a route leads to a function without a host.
func makeRecord(b anchor.Build, hosts map[string]string) (record, error) {
	r := record{BasePath: b.BasePath, SkewID: b.SkewID, Routes: [][2]string{}, Hosts: map[string]string{}}
	if hosts[anchor.ServerFunction] == "" {
		return r, noHost(anchor.ServerFunction)
	}
	r.Hosts[anchor.ServerFunction] = hosts[anchor.ServerFunction]
	for _, route := range b.Routes {
		pattern := normalPattern(route.Pattern)
		if pattern == "*" {
			continue
		}
		if route.Function != "" {
			if hosts[route.Function] == "" {
				return r, noHost(route.Function)
			}
			r.Hosts[route.Function] = hosts[route.Function]
		}
		r.Routes = append(r.Routes, [2]string{pattern, route.Function})
		r.Tell = r.Tell || route.Middleware != "" && route.Function != anchor.ServerFunction
	}
	return r, nil
}

func noHost(function string) error {
	return anchor.Failed("no_function_url", "the function %s has no URL to send requests to", function).
		Hintf("Deploy again, which creates the function's alias and URL.")
}

// normalPattern gives a pattern exactly one leading slash and removes doubled slashes. The
// default stays "*".
func normalPattern(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	if p = strings.TrimPrefix(p, "/"); p == "*" {
		return p
	}
	return "/" + p
}

// The limits of a KeyValueStore (CloudFront Developer Guide, "Quotas"): 1 KB a value,
// 50 keys an update.
const (
	maxValue = 1000
	maxParts = 50
)

// splitValue cuts v's JSON into values under key/0, key/1, …. The first value begins with their number
// and a colon.
func splitValue(key string, v any) (map[string]string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", key, err)
	}
	text := escapeNonASCII(raw)
	const room = maxValue - len("50:")
	n := (len(text) + room - 1) / room
	if n > maxParts {
		return nil, anchor.TooLarge("too_many_routes", "the routes of this build take %d octets, and CloudFront's store has room for %d", len(text), maxParts*room).
			Hintf("Most routes are files at the top of public/. Move them into folders; each folder needs only one route.")
	}
	parts := make(map[string]string, n)
	for i := range n {
		part := text[i*room : min((i+1)*room, len(text))]
		if i == 0 {
			part = strconv.Itoa(n) + ":" + part
		}
		parts[partKey(key, i)] = part
	}
	return parts, nil
}

func partKey(key string, i int) string { return key + "/" + strconv.Itoa(i) }

// escapeNonASCII escapes all non-ASCII characters, so that bytes are characters and the text can be cut
// anywhere.
func escapeNonASCII(raw []byte) string {
	var b strings.Builder
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		raw = raw[size:]
		switch {
		case r < utf8.RuneSelf:
			b.WriteByte(byte(r))
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// countParts returns the number at the beginning of a first value, or 0 when it has none.
func countParts(first string) int {
	n, _, _ := strings.Cut(first, ":")
	count, err := strconv.Atoi(n)
	if err != nil || count < 1 || count > maxParts {
		return 0
	}
	return count
}

func deploymentKey(d anchor.DeploymentID) string { return "d/" + string(d) }
