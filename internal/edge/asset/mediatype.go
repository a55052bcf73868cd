package asset

import (
	"mime"
	"path"
	"strings"
	"sync"
)

// hashedFolder holds what Next.js names by content hash.
const hashedFolder = "_next/static/"

var (
	immutable  = []string{"public,max-age=31536000,immutable"}
	revalidate = []string{"public,max-age=0,must-revalidate"}
)

// cacheControl is the lifetime of a file by its path below the asset root (base path not included).
func cacheControl(name string) []string {
	if strings.HasPrefix(name, hashedFolder) {
		return immutable
	}
	return revalidate
}

// webTypes are the types of the web by extension. They stand before the mime package, whose answers depend on the
// files of the machine it runs on.
var webTypes = map[string]string{
	".avif":        "image/avif",
	".bmp":         "image/bmp",
	".cjs":         "text/javascript; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".csv":         "text/csv; charset=utf-8",
	".eot":         "application/vnd.ms-fontobject",
	".geojson":     "application/geo+json",
	".gif":         "image/gif",
	".glb":         "model/gltf-binary",
	".gltf":        "model/gltf+json",
	".gz":          "application/gzip",
	".htm":         "text/html; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".ics":         "text/calendar; charset=utf-8",
	".jpeg":        "image/jpeg",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".jsonld":      "application/ld+json",
	".jxl":         "image/jxl",
	".m4a":         "audio/mp4",
	".map":         "application/json",
	".md":          "text/markdown; charset=utf-8",
	".mjs":         "text/javascript; charset=utf-8",
	".mov":         "video/quicktime",
	".mp3":         "audio/mpeg",
	".mp4":         "video/mp4",
	".oga":         "audio/ogg",
	".ogg":         "audio/ogg",
	".ogv":         "video/ogg",
	".opus":        "audio/ogg",
	".otf":         "font/otf",
	".pdf":         "application/pdf",
	".png":         "image/png",
	".rss":         "application/rss+xml",
	".svg":         "image/svg+xml",
	".tif":         "image/tiff",
	".tiff":        "image/tiff",
	".ttf":         "font/ttf",
	".txt":         "text/plain; charset=utf-8",
	".vtt":         "text/vtt; charset=utf-8",
	".wasm":        "application/wasm",
	".wav":         "audio/wav",
	".weba":        "audio/webm",
	".webm":        "video/webm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff":        "font/woff",
	".woff2":       "font/woff2",
	".xhtml":       "application/xhtml+xml",
	".xml":         "application/xml",
	".zip":         "application/zip",
}

// appleAssociation has no extension, and iOS wants JSON (developer.apple.com, "Supporting associated domains").
const appleAssociation = "apple-app-site-association"

// headerValues shares one slice per media type among all entries of all indexes.
var headerValues sync.Map // string -> []string

func contentType(name string) []string {
	t := mediaType(name)
	if v, ok := headerValues.Load(t); ok {
		return v.([]string)
	}
	v, _ := headerValues.LoadOrStore(t, []string{t})
	return v.([]string)
}

func mediaType(name string) string {
	if path.Base(name) == appleAssociation {
		return "application/json"
	}
	ext := strings.ToLower(path.Ext(name))
	if t, ok := webTypes[ext]; ok {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
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
