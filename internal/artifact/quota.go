package artifact

import (
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// unowned counts the contents that were sent and that no finished upload has claimed: those
// on their way and those in incoming. It begins at nothing, as Open empties incoming.
type unowned struct {
	mu    sync.Mutex
	files int
	bytes int64
}

// reserve counts a content before it is read. A TooLarge error says that there is no room
// for it; a limit of 0 bounds nothing.
func (u *unowned) reserve(size, limit int64, files int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if limit > 0 && (u.bytes+size > limit || u.files >= files) {
		return anchor.TooLarge("upload_quota", "uploads that no deployment owns take too much room: files %d of %d, bytes %d of %d; this file adds bytes: %d",
			u.files, files, u.bytes, limit, size).
			Hintf("Wait until other uploads end (anchor deployments lists them); what canceled ones left is removed within two hours.\n" +
				"For larger builds start the server with a higher limit: anchor up --max-upload-mib N")
	}
	u.files++
	u.bytes += size
	return nil
}

// release stops counting a content that is owned now, or gone.
func (u *unowned) release(size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files--
	u.bytes -= size
}
