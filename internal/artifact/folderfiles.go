package artifact

import (
	"os"
	"path"
	"path/filepath"
)

// FolderFiles opens files below a root, best those of one folder after another: os.Root opens each
// folder on the way to a file, and FolderFiles keeps the last one open. It is for one goroutine.
type FolderFiles struct {
	root   *os.Root
	dir    string   // slash-separated, of folder
	folder *os.Root // nil before the first file
}

// NewFolderFiles returns an opener of files below root, which it does not close.
func NewFolderFiles(root *os.Root) *FolderFiles { return &FolderFiles{root: root} }

// Open is OpenIn.
func (f *FolderFiles) Open(name string) (*os.File, error) {
	dir, base := path.Split(name)
	if f.folder == nil || dir != f.dir {
		folder, err := f.root.OpenRoot(filepath.FromSlash(path.Clean(dir)))
		if err != nil {
			return nil, unreadableError(err, pathBelow(f.root, name))
		}
		f.Close()
		f.dir, f.folder = dir, folder
	}
	return openIn(f.folder, base, pathBelow(f.root, name))
}

// Close closes the folder.
func (f *FolderFiles) Close() {
	if f.folder != nil {
		f.folder.Close()
		f.folder = nil
	}
}
