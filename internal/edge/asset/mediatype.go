package asset

import (
	"strings"
	"sync"

	"github.com/anchor-deploy/anchor/internal/staticfile"
)

// headerValues shares one slice per value of a header among all entries of all indexes.
var headerValues sync.Map // string -> []string

func cacheControl(name string) []string { return headerValue(staticfile.CacheControl(name)) }

func contentType(name string) []string { return headerValue(staticfile.MediaType(name)) }

func headerValue(value string) []string {
	if v, ok := headerValues.Load(value); ok {
		return v.([]string)
	}
	v, _ := headerValues.LoadOrStore(value, []string{value})
	return v.([]string)
}

// Compressible reports whether a media type usually shrinks: text, and the few binary formats that are not
// compressed already.
func Compressible(mediaType string) bool {
	base, _, _ := strings.Cut(mediaType, ";")
	if strings.HasPrefix(base, "text/") || strings.HasSuffix(base, "+json") || strings.HasSuffix(base, "+xml") {
		return true
	}
	switch base {
	case "application/json", "application/xml", "application/wasm", "application/vnd.ms-fontobject",
		"font/otf", "font/ttf", "image/bmp", "image/x-icon", "model/gltf-binary":
		return true
	}
	return false
}
