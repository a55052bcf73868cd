package cache

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// disk keeps responses in files, one folder for each namespace, up to a number of octets. They are
// written a while after they were stored, by one goroutine, and read when memory does not have
// them.
//
// What is invalidated is removed before the invalidation returns, so that a process that starts
// after a kill does not find it. The files of a namespace are removed as a whole by one rename.
type disk struct {
	store    *Store
	root     string
	capacity int64

	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup
	wake chan struct{}
	load chan struct{} // a slot for each namespace that is read at a time

	writing sync.Mutex // held while files are written

	mu      sync.Mutex // held for all below, and while files get their names or lose them
	used    int64
	recent  *list.List // of *diskFile, last used first
	pending map[variantKey]*pendingFile
	waiting int64 // octets of pending
	spaces  map[string]*diskSpace
	state   DiskState
	paused  time.Time // nothing is written until then
	broken  bool      // a file could not be removed: nothing is read or written
}

// DiskState describes the disk of a store.
type DiskState struct {
	Entries         int
	Bytes, Capacity int64
	Written, Read   int64  // responses
	Damaged         int64  // files that were not as they were written, and are removed
	Problem         string // why nothing is written at the moment; "" for nothing
}

// variantKey identifies one response.
type variantKey struct {
	storeKey
	variant string
}

// pendingFile is a response that is not on disk yet.
type pendingFile struct {
	entry *Entry
	since time.Time
}

const (
	// settle is how long a response has to last before it is written: some are replaced at once.
	settle = 2 * time.Second
	// writeEvery is the time between two looks for responses to write.
	writeEvery = time.Second
	// worthwhile is how long a response has to be usable for being written.
	worthwhile = 10 * time.Second
	// mostFiles bounds the memory that describes the files.
	mostFiles = 1 << 16
	// leastFile is what a file counts at least.
	leastFile = 4 << 10
	// pauseAfterFailure is how long nothing is written after a failure.
	pauseAfterFailure = 30 * time.Second
	// readers is how many namespaces are read at a time after a start.
	readers = 4
)

// Names in the folder; those of namespaces do not begin with a dot.
const (
	scratchName = ".scratch" // files that have no name yet, and removed ones
	stateName   = ".state"
)

// OpenDisk makes the store keep responses in the folder dir, up to capacity octets. Call it before
// the first Open, and Close at the end. After an error the store works without a disk, and Usage
// reports why.
func (s *Store) OpenDisk(dir string, capacity int64) error {
	d := &disk{
		store: s, root: dir, capacity: capacity, wake: make(chan struct{}, 1), load: make(chan struct{}, readers), recent: list.New(),
		pending: map[variantKey]*pendingFile{}, spaces: map[string]*diskSpace{}, state: DiskState{Capacity: capacity},
	}
	if err := d.prepare(); err != nil {
		s.diskless = err
		return fmt.Errorf("open the answers on disk: %w", err)
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.done.Go(d.writeUntilStopped)
	s.disk = d
	return nil
}

// prepare makes the folder ready, empty if what it has is not to be trusted: after a failure of the
// machine, the removal of a file may have been lost.
func (d *disk) prepare() error {
	if err := os.MkdirAll(d.root, 0o700); err != nil {
		return err
	}
	if err := os.RemoveAll(d.path(scratchName)); err != nil {
		return err
	}
	if !trusted(d.path(stateName)) {
		if err := removeContents(d.root); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(d.path(scratchName), 0o700); err != nil {
		return err
	}
	return writeState(d.path(stateName), openState())
}

func removeContents(dir string) error {
	names, err := os.ReadDir(dir)
	for _, name := range names {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name.Name())))
	}
	return err
}

func (d *disk) path(parts ...string) string {
	return filepath.Join(append([]string{d.root}, parts...)...)
}

// close writes what is worth keeping until ctx ends, and records that nothing is lost.
func (d *disk) close(ctx context.Context) error {
	d.stop()
	d.done.Wait()
	d.write(ctx, func(*pendingFile) bool { return true })
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		return errors.New("the answers on disk are incomplete, and are discarded at the next start")
	}
	return writeState(d.path(stateName), closedState)
}

func (d *disk) writeUntilStopped() {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-tick.C:
		case <-d.wake:
		}
		full := func() bool { return d.waiting > d.mostWaiting()/2 }
		d.write(d.ctx, func(p *pendingFile) bool { return full() || time.Since(p.since) >= settle })
	}
}

// mostWaiting bounds the memory of responses that memory has evicted and the disk does not have yet.
func (d *disk) mostWaiting() int64 { return d.store.capacity / 8 }

// write writes the pending responses that are due, oldest first; d.mu is held while due decides.
func (d *disk) write(ctx context.Context, due func(*pendingFile) bool) {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	var chosen []variantKey
	for k, p := range d.pending {
		if due(p) {
			chosen = append(chosen, k)
		}
	}
	slices.SortFunc(chosen, func(a, b variantKey) int { return d.pending[a].since.Compare(d.pending[b].since) })
	d.mu.Unlock()
	for _, k := range chosen {
		if ctx.Err() != nil || !d.writeOne(k) {
			return
		}
	}
}

// writeOne writes one response. It returns false when there is no sense in writing others.
func (d *disk) writeOne(k variantKey) bool {
	d.mu.Lock()
	p, space := d.pending[k], k.namespace.space
	stopped := d.broken || time.Now().Before(d.paused)
	d.mu.Unlock()
	switch {
	case stopped:
		return false
	case p == nil: // removed meanwhile
		return true
	case !d.isWorthwhile(p.entry):
		d.forget(k, p)
		return true
	}
	scratch := d.path(scratchName, space.name+"-"+fileName(k))
	size, err := writeParts(scratch, encodeFile(space.name, k.key, p.entry))
	if err == nil {
		err = space.commit(k, p, scratch, size)
	}
	if err != nil {
		os.Remove(scratch)
		d.pause(err)
	}
	return err == nil
}

// writeParts writes a new file, and returns its size.
func writeParts(name string, parts [][]byte) (size int64, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	for _, part := range parts {
		n, werr := f.Write(part)
		size += int64(n)
		if werr != nil {
			return size, errors.Join(werr, f.Close())
		}
	}
	return size, f.Close()
}

func (d *disk) isWorthwhile(e *Entry) bool {
	return e.Age(time.Now())+worthwhile <= e.usable()
}

// forget removes a pending response that is still the same one.
func (d *disk) forget(k variantKey, p *pendingFile) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending[k] == p {
		d.unqueue(k)
	}
}

// unqueue removes a pending response; d.mu is held.
func (d *disk) unqueue(k variantKey) {
	if p := d.pending[k]; p != nil {
		delete(d.pending, k)
		d.waiting -= p.entry.weight()
	}
}

// pause stops writing for a while after a failure: a full disk, for one.
func (d *disk) pause(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state.Problem == "" {
		slog.Warn("answers cannot be stored on disk; the server continues without", "folder", d.root, "error", err)
	}
	d.state.Problem = err.Error()
	d.paused = time.Now().Add(pauseAfterFailure)
}

// discredit makes the disk unused, now and after the next start, because a file that should be
// removed may still be there; d.mu is held.
func (d *disk) discredit(err error) error {
	d.broken = true
	d.state.Problem = err.Error()
	slog.Error("stored answers cannot be removed from disk; the server continues without those", "folder", d.root, "error", err)
	return errors.Join(err, writeState(d.path(stateName), brokenState))
}

// evict removes the files that were not used for the longest time, as long as there are too many;
// d.mu is held. Files of responses that are in memory are needed after a restart, and pass once.
func (d *disk) evict() error {
	spared := map[*diskFile]bool{}
	for d.used > d.capacity || d.recent.Len() > mostFiles {
		f := d.recent.Back().Value.(*diskFile)
		if !spared[f] && len(spared) < 64 && d.store.holds(f.key) {
			spared[f] = true
			d.recent.MoveToFront(f.place)
			continue
		}
		if err := f.remove(); err != nil {
			return err
		}
	}
	return nil
}

// state returns what the disk holds.
func (d *disk) describe() DiskState {
	d.mu.Lock()
	defer d.mu.Unlock()
	state := d.state
	state.Entries, state.Bytes = d.recent.Len(), d.used
	return state
}

// sweep removes the folders of namespaces that are not open.
func (d *disk) sweep() error {
	names, err := os.ReadDir(d.root)
	if err != nil {
		return fmt.Errorf("list the answers on disk: %w", err)
	}
	for _, name := range names {
		if name.Name()[0] == '.' {
			continue
		}
		d.mu.Lock()
		if d.spaces[name.Name()] == nil {
			err = errors.Join(err, d.discard(name.Name()))
		}
		d.mu.Unlock()
	}
	return err
}

// discard removes the folder of a namespace in one step; d.mu is held.
func (d *disk) discard(name string) error {
	away := filepath.Join(d.path(scratchName), fmt.Sprintf("%s-%d", name, time.Now().UnixNano()))
	if err := os.Rename(d.path(name), away); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return d.discredit(err)
	}
	if d.ctx.Err() == nil {
		d.done.Go(func() { _ = os.RemoveAll(away) }) // the next start removes the rest
	}
	return nil
}
