package worker

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed bootstrap/*.mjs
var bootstrapFiles embed.FS

// maxSocketPath is below the size of sockaddr_un.sun_path everywhere (Linux: 108, macOS and BSD:
// 104).
const maxSocketPath = 100

// home is a pool's folders: bootstrap and TMPDIR for its processes, sockets for the pool alone.
type home struct {
	dir     string // holds bootstrap/, tmp/ and root/
	sockets string // entered by this process only: one project's app must not call another's
}

func newHome(spec Spec) (_ *home, err error) {
	h := &home{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("worker: make folders for function %s: %w", spec.Name, err), h.removeHome())
		}
	}()
	if h.dir, err = os.MkdirTemp(spec.Tmp, "w"); err != nil {
		return nil, err
	}
	h.sockets = filepath.Join(h.dir, "s")
	if len(h.socketPath(1<<30)) > maxSocketPath {
		if h.sockets, err = os.MkdirTemp("", "anchor"); err != nil {
			return nil, err
		}
	} else if err = os.Mkdir(h.sockets, 0o700); err != nil {
		return nil, err
	}
	return h, h.fillHome(spec)
}

func (h *home) fillHome(spec Spec) error {
	for _, dir := range []string{h.tmpPath(), h.rootPath()} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	if err := os.CopyFS(h.dir, bootstrapFiles); err != nil {
		return err
	}
	if err := spec.Files.writeTo(h.filesPath()); err != nil {
		return err
	}
	user := spec.User
	if user == nil || os.Geteuid() != 0 {
		return nil
	}
	// The other user reads the bootstrap and owns TMPDIR. The folder itself stays ours, so that the
	// other user cannot replace the sockets.
	uid, gid := int(user.UID), int(user.GID)
	return errors.Join(os.Chmod(h.dir, 0o711), os.Chown(h.tmpPath(), uid, gid), os.Chown(h.filesPath(), uid, gid))
}

func (h *home) tmpPath() string           { return filepath.Join(h.dir, "tmp") }
func (h *home) rootPath() string          { return filepath.Join(h.dir, "root") } // mount point in each process's own table
func (h *home) main() string              { return filepath.Join(h.dir, "bootstrap", "main.mjs") }
func (h *home) filesPath() string         { return filepath.Join(h.dir, "bootstrap", filesName) }
func (h *home) socketPath(n int64) string { return filepath.Join(h.sockets, fmt.Sprintf("%d", n)) }

func (h *home) removeHome() error {
	if h.dir == "" {
		return nil
	}
	return errors.Join(os.RemoveAll(h.dir), os.RemoveAll(h.sockets))
}
