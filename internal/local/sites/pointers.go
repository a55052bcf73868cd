package sites

import (
	"log/slog"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// copyAfter is how long a copy waits, so that it does not compete for the disk with what the caller of a switch waits for.
const copyAfter = 200 * time.Millisecond

// pointerCopies writes the copies of the live pointers. A switch does not wait for them: a new file, and its folder,
// take two waits for the disk, and the records are durable already. After a crash the next start writes what is missing.
type pointerCopies struct {
	folder  Folder
	tasks   sync.WaitGroup
	closing chan struct{} // closed when copies no longer wait
	disk    sync.Mutex    // held while a copy is written or removed

	mu   sync.Mutex
	next map[anchor.ProjectID]anchor.Live
	busy bool // a task writes
}

func newPointerCopies(f Folder) *pointerCopies {
	return &pointerCopies{folder: f, closing: make(chan struct{}), next: map[anchor.ProjectID]anchor.Live{}}
}

// close returns when all copies are written.
func (c *pointerCopies) close() {
	close(c.closing)
	c.tasks.Wait()
}

// keep writes a copy of the pointer soon. Of several of a project it writes the last.
func (c *pointerCopies) keep(live anchor.Live) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next[live.ProjectID] = live
	if !c.busy {
		c.busy = true
		c.tasks.Go(c.writeAll)
	}
}

func (c *pointerCopies) writeAll() {
	select {
	case <-time.After(copyAfter):
	case <-c.closing:
	}
	for c.writeNext() {
	}
}

// writeNext writes one copy, and returns false when there is none.
func (c *pointerCopies) writeNext() bool {
	c.disk.Lock()
	defer c.disk.Unlock()
	live, ok := c.takeNext()
	if !ok {
		return false
	}
	if err := c.folder.keepPointer(live); err != nil {
		slog.Error("keep a copy of the live pointer", "projectId", live.ProjectID, "error", err)
	}
	return true
}

func (c *pointerCopies) takeNext() (anchor.Live, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, live := range c.next {
		delete(c.next, p)
		return live, true
	}
	c.busy = false
	return anchor.Live{}, false
}

// drop removes the copy of a project.
func (c *pointerCopies) drop(p anchor.ProjectID) error {
	c.disk.Lock()
	defer c.disk.Unlock()
	c.mu.Lock()
	delete(c.next, p)
	c.mu.Unlock()
	return c.folder.DropPointer(p)
}
