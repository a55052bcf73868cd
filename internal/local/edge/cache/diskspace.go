package cache

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// diskSpace is what the disk has of one namespace.
type diskSpace struct {
	disk      *disk
	namespace *Namespace
	name      string

	loaded  chan struct{}   // closed when the files of an earlier process are known
	cleared int             // how often all files were removed
	newer   map[string]bool // names of files, not loaded yet, of which there is a newer response
	files   map[Key][]*diskFile
	at      map[Resource][]*diskFile
}

// diskFile describes a file.
type diskFile struct {
	space *diskSpace
	key   storeKey
	about *facts
	size  int64
	place *list.Element // in disk.recent
}

// openSpace returns the space of a namespace, and begins to read what an earlier process left of it.
func (d *disk) openSpace(n *Namespace, name string) *diskSpace {
	s := &diskSpace{
		disk: d, namespace: n, name: name, loaded: make(chan struct{}),
		newer: map[string]bool{}, files: map[Key][]*diskFile{}, at: map[Resource][]*diskFile{},
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spaces[name] = s
	d.done.Go(s.loadFiles)
	return s
}

func fileName(k variantKey) string {
	sum := sha256.Sum256([]byte(k.variant))
	return hex.EncodeToString(k.key[:]) + "-" + hex.EncodeToString(sum[:8])
}

// variant identifies the entry among those of its key.
func (e *facts) variant() string {
	return strings.Join(e.vary, "\x00") + "\x01" + strings.Join(e.values, "\x01")
}

// loadFiles reads the heads of the files that an earlier process wrote, and removes those that are
// of no use.
func (s *diskSpace) loadFiles() {
	defer close(s.loaded)
	s.disk.load <- struct{}{}
	defer func() { <-s.disk.load }()
	names, err := os.ReadDir(s.disk.path(s.name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.disk.pause(err)
	}
	for _, name := range names {
		if s.disk.ctx.Err() != nil {
			return
		}
		s.loadFile(name.Name())
	}
}

func (s *diskSpace) loadFile(name string) {
	path := s.disk.path(s.name, name)
	head, size, err := readHeadOf(path)
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) || s.cleared > 0 {
		return
	}
	now := time.Now()
	key := storeKey{s.namespace, head.key}
	switch {
	case err == nil && (head.namespace != s.name || name != fileName(variantKey{key, head.entry.variant()})):
		err = errDamaged
	case err == nil && (s.newer[name] || head.entry.received.After(now) || head.entry.Age(now) >= head.entry.usable()):
		_ = s.disk.unlink(path)
		return
	}
	if err != nil {
		s.disk.state.Damaged++
		_ = s.disk.unlink(path)
		return
	}
	s.add(&diskFile{space: s, key: key, about: head.entry.facts, size: max(size, leastFile)})
	_ = s.disk.evict()
}

func readHeadOf(path string) (head fileHead, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return head, 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return head, 0, err
	}
	head, err = readHead(file)
	if err == nil {
		head.entry.Header = nil // it is read again with the body
	}
	return head, info.Size(), err
}

// add lists a file; disk.mu is held.
func (s *diskSpace) add(f *diskFile) {
	s.files[f.key.key] = append(s.files[f.key.key], f)
	s.at[f.about.resource] = append(s.at[f.about.resource], f)
	s.disk.used += f.size
	f.place = s.disk.recent.PushFront(f)
}

// unlist removes a file from the lists; disk.mu is held.
func (s *diskSpace) unlist(f *diskFile) {
	without(s.files, f.key.key, f)
	without(s.at, f.about.resource, f)
	s.disk.used -= f.size
	s.disk.recent.Remove(f.place)
}

func without[K comparable](all map[K][]*diskFile, key K, f *diskFile) {
	rest := slices.DeleteFunc(all[key], func(other *diskFile) bool { return other == f })
	if len(rest) == 0 {
		delete(all, key)
		return
	}
	all[key] = rest
}

// path returns where the file is. Thousands of paths would take more memory than the rest of what is known of the files.
func (f *diskFile) path() string {
	return f.space.disk.path(f.space.name, fileName(variantKey{f.key, f.about.variant()}))
}

// remove removes a file for good; disk.mu is held.
func (f *diskFile) remove() error {
	f.space.unlist(f)
	return f.space.disk.unlink(f.path())
}

// unlink removes a file; disk.mu is held.
func (d *disk) unlink(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.discredit(err)
	}
	return nil
}

// find returns the file of a variant, or nil; disk.mu is held.
func (s *diskSpace) find(key Key, e *facts) *diskFile {
	for _, f := range s.files[key] {
		if f.about.sameVariant(e) {
			return f
		}
	}
	return nil
}

// enqueue makes a stored response pending, in the place of an older one. It does nothing for one
// that was invalidated meanwhile. While files are loaded it does not wait: it keeps that of the older one
// from being used.
func (s *diskSpace) enqueue(key Key, e *Entry) {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	k := variantKey{storeKey{s.namespace, key}, e.variant()}
	d.unqueue(k)
	if !s.isLoaded() {
		s.newer[fileName(k)] = true
	}
	if old := s.find(key, e.facts); old != nil {
		_ = old.remove()
	}
	if d.broken || !s.isLoaded() || !s.namespace.mayStore(e) || !d.isWorthwhile(e) || d.waiting+e.weight() > d.mostWaiting() {
		return
	}
	d.pending[k] = &pendingFile{entry: e, since: time.Now()}
	if d.waiting += e.weight(); d.waiting > d.mostWaiting()/2 {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
}

// enqueueAgain makes a response pending whose file lacks what was made since it was written. The file
// stays until the next one takes its place.
func (s *diskSpace) enqueueAgain(key Key, e *Entry) {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	k := variantKey{storeKey{s.namespace, key}, e.variant()}
	old := s.find(key, e.facts)
	if old == nil || d.pending[k] != nil || !old.about.isOf(e.facts) || d.broken || !s.namespace.mayStore(e) || !d.isWorthwhile(e) ||
		d.waiting+e.weight() > d.mostWaiting() {
		return
	}
	d.pending[k] = &pendingFile{entry: e, since: time.Now()}
	d.waiting += e.weight()
}

func (s *diskSpace) isLoaded() bool {
	select {
	case <-s.loaded:
		return true
	default:
		return false
	}
}

// commit names the file of a pending response that is still valid.
func (s *diskSpace) commit(k variantKey, p *pendingFile, scratch string, size int64) error {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending[k] != p || d.broken || !s.namespace.valid(p.entry.facts) {
		return os.Remove(scratch)
	}
	path := d.path(s.name, fileName(k))
	if err := os.Rename(scratch, path); errors.Is(err, fs.ErrNotExist) {
		err = errors.Join(os.MkdirAll(d.path(s.name), 0o700), os.Rename(scratch, path))
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	d.unqueue(k)
	d.state.Written++
	d.state.Problem = ""
	if old := s.find(k.key, p.entry.facts); old != nil {
		s.unlist(old) // its file has been replaced
	}
	s.add(&diskFile{space: s, key: k.storeKey, about: p.entry.facts, size: max(size, leastFile)})
	return d.evict()
}

// isOf reports whether e are the facts of other.
func (e *facts) isOf(other *facts) bool {
	return e.sequence == other.sequence && e.received.Equal(other.received) && e.sameVariant(other)
}

// recall returns the stored response that a request selects, from disk, and puts it into memory; nil
// for none.
func (s *diskSpace) recall(r *Request, now time.Time) *Entry {
	d := s.disk
	d.mu.Lock()
	if e := s.queued(r); e != nil { // memory has evicted it already
		r.update(func(old *variants) *variants { return old.with(e, s.namespace) })
		d.mu.Unlock()
		return e
	}
	f := s.selected(r, now)
	d.mu.Unlock()
	if f == nil {
		return nil
	}
	read, err := readWhole(f.path())
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.find(f.key.key, f.about) != f || d.broken || !s.namespace.valid(f.about) {
		return nil // removed meanwhile
	}
	if err == nil && (read.namespace != s.name || read.key != f.key.key) {
		err = errDamaged
	}
	if err != nil {
		d.state.Damaged++
		_ = f.remove()
		return nil
	}
	e := read.entry
	e.facts = f.about
	d.state.Read++
	s.namespace.counters.Recalled.Add(1)
	d.recent.MoveToFront(f.place)
	r.update(func(old *variants) *variants { return old.with(e, s.namespace) })
	return e
}

// selected returns the file that a request selects; disk.mu is held.
func (s *diskSpace) selected(r *Request, now time.Time) *diskFile {
	if s.disk.broken {
		return nil
	}
	for _, f := range s.files[r.Key] {
		if s.namespace.valid(f.about) && f.about.matches(r.Fields) && f.about.Age(now) < f.about.usable() {
			return f
		}
	}
	return nil
}

// queued returns the pending response that a request selects; disk.mu is held.
func (s *diskSpace) queued(r *Request) *Entry {
	for k, p := range s.disk.pending {
		if k.namespace == s.namespace && k.key == r.Key && s.namespace.valid(p.entry.facts) && p.entry.matches(r.Fields) {
			return p.entry
		}
	}
	return nil
}

// clear removes all files.
func (s *diskSpace) clear() error {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	return s.clearLocked()
}

func (s *diskSpace) clearLocked() error {
	d := s.disk
	s.cleared++
	for k := range d.pending {
		if k.namespace == s.namespace {
			d.unqueue(k)
		}
	}
	for _, files := range s.files {
		for _, f := range files {
			d.used -= f.size
			d.recent.Remove(f.place)
		}
	}
	clear(s.files)
	clear(s.at)
	return d.discard(s.name)
}

// close removes all files, and the space.
func (s *diskSpace) close() error {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.spaces[s.name] == s {
		delete(d.spaces, s.name)
	}
	return s.clearLocked()
}

// removeAt removes the files of a resource.
func (s *diskSpace) removeAt(r Resource) error {
	<-s.loaded
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	return removeFiles(slices.Clone(s.at[r]))
}

// removeMatching removes the files that are included, and makes such responses that are pending not
// be written. It returns the descriptions of the valid ones.
func (s *diskSpace) removeMatching(included func(*facts) bool) (removed []*facts, err error) {
	<-s.loaded
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, p := range d.pending {
		if k.namespace == s.namespace && included(p.entry.facts) {
			d.unqueue(k)
			removed = append(removed, p.entry.facts)
		}
	}
	var doomed []*diskFile
	for _, files := range s.files {
		for _, f := range files {
			if included(f.about) {
				doomed = append(doomed, f)
				removed = append(removed, f.about)
			}
		}
	}
	return removed, removeFiles(doomed)
}

func removeFiles(files []*diskFile) (err error) {
	for _, f := range files {
		err = errors.Join(err, f.remove())
	}
	return err
}

// each calls do for each file and its size.
func (s *diskSpace) each(do func(about *facts, size int64)) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	for _, files := range s.files {
		for _, f := range files {
			do(f.about, f.size)
		}
	}
}
