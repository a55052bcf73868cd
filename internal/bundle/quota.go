package bundle

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

// reserve makes room for a content before it is read, or is a TooLarge error. 0 as a limit
// is none.
func (u *unowned) reserve(size, limit int64, files int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if limit > 0 && (u.bytes+size > limit || u.files >= files) {
		return anchor.TooLarge("upload_quota", "%d files with %d bytes were sent that no finished deployment owns; %d bytes more exceed the server's limit of %d files and %d bytes",
			u.files, u.bytes, size, files, limit).
			Hintf("Finish the uploads under way (anchor deployments lists them). Leftovers of canceled ones go within two hours. " +
				"A higher limit: anchor up --max-upload-mib")
	}
	u.files++
	u.bytes += size
	return nil
}

// release counts a content no longer: it is owned, or gone.
func (u *unowned) release(size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files--
	u.bytes -= size
}
