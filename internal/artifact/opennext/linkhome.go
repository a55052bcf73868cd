package opennext

import "strings"

// LinkHome returns the folder in a .open-next tree in which a symbolic link at path may
// stay a link: that of its function, whose node_modules are links in a pnpm or monorepo
// build (build/copyTracedFiles.js copies them as links). Elsewhere it returns "": a static
// file or a cache entry is served by its content, and each function is published alone.
func LinkHome(path string) string {
	top, rest, nested := strings.Cut(path, "/")
	switch top {
	case serverDirV2, imageDir, middlewareDir, revalidationDir:
		if nested {
			return top
		}
	case serversDir:
		if name, _, nested := strings.Cut(rest, "/"); nested {
			return top + "/" + name
		}
	}
	return ""
}
