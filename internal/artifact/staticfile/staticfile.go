// Package staticfile decides the headers of a static file: its media type and how long a
// browser may keep it. Every platform uses it.
package staticfile

import (
	"path"
	"strings"
)

// HashedFolder holds what Next.js names by content hash, in the folder of static
// files (base path not included).
const HashedFolder = "_next/static/"

// The values of Cache-Control for files.
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

// appleAssociation has no extension, and iOS requires JSON (developer.apple.com, "Supporting
// associated domains").
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
	return "application/octet-stream"
}

// ContentEncoding returns the coding that a file has on disk, by its name, "" for most files.
// Browsers show an .svgz file only with a Content-Encoding that says it is compressed (SVG 2,
// section 1.2).
func ContentEncoding(name string) string {
	if strings.EqualFold(path.Ext(name), ".svgz") {
		return "gzip"
	}
	return ""
}
