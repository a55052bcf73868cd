// Package staticfile says what a browser is told of a static file: its media type
// and how long it may keep it. Every platform serves files by it.
package staticfile

import (
	"mime"
	"path"
	"strings"
)

// HashedFolder holds what Next.js names by content hash, in the folder of static
// files (base path not included).
const HashedFolder = "_next/static/"

// What Cache-Control says of a file.
const (
	Immutable  = "public,max-age=31536000,immutable"
	Revalidate = "public,max-age=0,must-revalidate"
)

// CacheControl is the lifetime of a file by its path in the folder of static files.
func CacheControl(name string) string {
	if strings.HasPrefix(name, HashedFolder) {
		return Immutable
	}
	return Revalidate
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
	".m3u8":        "application/vnd.apple.mpegurl",
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
	".ts":          "video/mp2t",
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
	".yaml":        "application/yaml",
	".yml":         "application/yaml",
	".zip":         "application/zip",
}

// appleAssociation has no extension, and iOS wants JSON (developer.apple.com, "Supporting associated domains").
const appleAssociation = "apple-app-site-association"

// MediaType is the Content-Type of a file by its name.
func MediaType(name string) string {
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
