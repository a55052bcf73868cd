package asset

import (
	"strings"
	"sync"

	"github.com/anchor-deploy/anchor/internal/artifact/staticfile"
)

// headerValues shares one slice per value of a header among all entries of all indexes.
var headerValues sync.Map // string -> []string

func cacheControl(name string) []string { return headerValue(staticfile.CacheControl(name)) }

func contentType(name string) []string { return headerValue(staticfile.MediaType(name)) }

// contentCoding returns nil for a file that is not itself coded.
func contentCoding(name string) []string {
	if coding := staticfile.ContentEncoding(name); coding != "" {
		return headerValue(coding)
	}
	return nil
}

func headerValue(value string) []string {
	if v, ok := headerValues.Load(value); ok {
		return v.([]string)
	}
	v, _ := headerValues.LoadOrStore(value, []string{value})
	return v.([]string)
}

// Compressible reports whether a media type usually shrinks: text, and the few binary formats that
// are not compressed already.
func Compressible(mediaType string) bool {
	base := mediaEssence(mediaType)
	if strings.HasPrefix(base, "text/") {
		return true
	}
	if plus := strings.LastIndexByte(base, '+'); plus >= 0 {
		switch base[plus:] {
		case "+json", "+xml", "+yaml", "+json-seq": // RFC 6839, RFC 9512, RFC 8091
			return true
		}
	}
	return compressible[base]
}

// Is reports whether a Content-Type has the type and subtype of base, which is in lower case.
func Is(mediaType, base string) bool { return mediaEssence(mediaType) == base }

// mediaEssence returns a media type without its parameters, in lower case (RFC 9110, section 8.3.1).
func mediaEssence(mediaType string) string {
	base, _, _ := strings.Cut(mediaType, ";")
	return strings.ToLower(strings.TrimSpace(base))
}

var compressible = map[string]bool{
	"application/ecmascript":            true,
	"application/graphql":               true,
	"application/javascript":            true,
	"application/json":                  true,
	"application/json-seq":              true,
	"application/jsonl":                 true,
	"application/jsonlines":             true,
	"application/ndjson":                true,
	"application/rtf":                   true,
	"application/toml":                  true,
	"application/vnd.apple.mpegurl":     true,
	"application/vnd.ms-fontobject":     true,
	"application/wasm":                  true,
	"application/x-javascript":          true,
	"application/x-json-stream":         true,
	"application/x-jsonlines":           true,
	"application/x-ndjson":              true,
	"application/x-sh":                  true,
	"application/x-www-form-urlencoded": true,
	"application/xml":                   true,
	"application/xml-dtd":               true,
	"application/yaml":                  true,
	"font/collection":                   true,
	"font/otf":                          true,
	"font/ttf":                          true,
	"image/bmp":                         true,
	"image/vnd.microsoft.icon":          true,
	"image/x-icon":                      true,
	"model/gltf-binary":                 true,
	"model/obj":                         true,
	"model/stl":                         true,
}
