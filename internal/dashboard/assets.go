package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed assets
var files embed.FS

// asset is a static file, with its name under which browsers may keep it forever.
type asset struct {
	mediaType     string
	plain, packed []byte
}

var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// loadedAssets compresses the files when the first page is shown: the program starts for each command and each worker,
// most of which show none.
var loadedAssets = sync.OnceValues(loadAssets)

func loadAssets() (byName map[string]asset, names map[string]string) {
	byName, names = map[string]asset{}, map[string]string{}
	entries, err := files.ReadDir("assets")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		mediaType, served := mediaTypes[path.Ext(e.Name())]
		if !served {
			continue // a license
		}
		text, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is valid
		_, _ = z.Write(text)                                       // a buffer takes all
		_ = z.Close()
		sum := sha256.Sum256(text)
		base, ext := strings.TrimSuffix(e.Name(), path.Ext(e.Name())), path.Ext(e.Name())
		name := base + "." + hex.EncodeToString(sum[:6]) + ext
		byName[name] = asset{mediaType, text, packed.Bytes()}
		names[e.Name()] = root + "/assets/" + name
	}
	return byName, names
}

// assetURL returns the address of a file in assets.
func assetURL(name string) string {
	_, names := loadedAssets()
	return names[name]
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	assets, _ := loadedAssets()
	a, found := assets[r.PathValue("name")]
	if !found {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "The dashboard has no such file. Load the page again.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.mediaType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	text := a.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		text = a.packed
	}
	_, _ = w.Write(text) // the client may be gone
}
