package cache

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// openDisk returns a store with a disk in dir, and its namespace d1 when that has been read.
func openDisk(t *testing.T, dir string, memory, capacity int64) (*Store, *Namespace) {
	t.Helper()
	s := New(memory)
	if err := s.OpenDisk(dir, capacity); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.disk.stop(); s.disk.done.Wait() })
	n := s.Open("d1")
	<-n.space.loaded
	return s, n
}

// kill ends a store as the end of its process does: nothing more is written.
func (s *Store) kill() {
	s.disk.stop()
	s.disk.done.Wait()
}

// flush writes all that is pending.
func (s *Store) flush() { s.disk.write(context.Background(), func(*pendingFile) bool { return true }) }

// recalled returns what memory or the disk has for r, or "".
func recalled(r *Request) string {
	if e, _ := r.Find(time.Now()); e != nil {
		return string(e.Body)
	}
	if e := r.Recall(time.Now()); e != nil {
		return string(e.Body)
	}
	return ""
}

func TestDisk_RestartFindsAnswers(t *testing.T) {
	dir := t.TempDir()
	s, n := openDisk(t, dir, 1<<20, 1<<20)
	put(t, ask(n, "/a"), "a", "Content-Type", "text/html", "X-Odd", "\xff\x00é")
	put(t, ask(n, "/v", "Accept", "b"), "for b", "Vary", "Accept")
	put(t, ask(n, "/v", "Accept", "c"), "for c", "Vary", "Accept")
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, n = openDisk(t, dir, 1<<20, 1<<20)
	for r, want := range map[*Request]string{
		ask(n, "/a"): "a", ask(n, "/v", "Accept", "b"): "for b", ask(n, "/v", "Accept", "c"): "for c",
		ask(n, "/v", "Accept", "d"): "", ask(n, "/other"): "", ask(s.Open("d2"), "/a"): "",
	} {
		if got := recalled(r); got != want {
			t.Errorf("%s is %q, want %q", r.Resource.Target, got, want)
		}
	}
	e, _ := ask(n, "/a").Find(time.Now())
	if e == nil || e.Header.Get("X-Odd") != "\xff\x00é" || e.Status != 200 || e.TTL(time.Now()) > time.Minute {
		t.Errorf("memory has %+v", e)
	}
	if usage := s.Usage().Disk; usage.Entries != 3 || usage.Read != 3 || usage.Problem != "" {
		t.Errorf("usage is %+v", usage)
	}
}

// What was encoded before or after an answer was written is not encoded again after a restart.
func TestDisk_KeepsEncodedBodies(t *testing.T) {
	dir := t.TempDir()
	s, n := openDisk(t, dir, 1<<20, 1<<20)
	encode := func(r *Request, coding string) {
		e, _ := r.Find(time.Now())
		e.Prepare(coding, func() *Form { return &Form{Body: []byte(coding + " of " + string(e.Body))} })
		r.Encoded(e)
	}
	put(t, ask(n, "/a"), "a")
	encode(ask(n, "/a"), "br")
	s.flush()
	encode(ask(n, "/a"), "gzip")
	s.flush()
	put(t, ask(n, "/b"), "b")
	s.flush()
	put(t, ask(n, "/gone"), "gone")
	s.flush()
	encode(ask(n, "/gone"), "br")
	n.InvalidateResource(ask(n, "/gone").Resource)
	s.flush()
	if usage := s.Usage().Disk; usage.Entries != 2 || usage.Bytes != 2*leastFile || usage.Written != 4 {
		t.Errorf("usage is %+v", usage)
	}
	s.kill()
	s, n = openDisk(t, dir, 1<<20, 1<<20)
	for path, want := range map[string]string{"/a": "a, br of a, gzip of a, ", "/b": "b, , , ", "/gone": ", "} {
		got := recalled(ask(n, path)) + ", "
		if e, _ := ask(n, path).Find(time.Now()); e != nil {
			got += string(e.Encoded("br")) + ", " + string(e.Encoded("gzip")) + ", "
		}
		if got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	encode(ask(n, "/a"), "zstd") // with what the disk had
	s.flush()
	s.kill()
	_, n = openDisk(t, dir, 1<<20, 1<<20)
	recalled(ask(n, "/a"))
	if e, _ := ask(n, "/a").Find(time.Now()); e == nil || len(e.encodedBodies()) != 3 {
		t.Errorf("after a second restart: %+v", e)
	}
}

func TestDisk_KillKeepsWhatIsWritten(t *testing.T) {
	dir := t.TempDir()
	s, n := openDisk(t, dir, 1<<20, 1<<20)
	put(t, ask(n, "/a"), "a")
	s.flush()
	put(t, ask(n, "/late"), "late")
	s.kill()
	s, n = openDisk(t, dir, 1<<20, 1<<20)
	if got := recalled(ask(n, "/a")); runtime.GOOS == "linux" && got != "a" {
		t.Errorf("got %q", got)
	}
	if got := recalled(ask(n, "/late")); got != "" {
		t.Errorf("got %q, which was not written", got)
	}
	s.kill()
}

// allRecalled returns what is stored for the paths of TestDisk_InvalidatedStaysAway.
func allRecalled(n *Namespace) string {
	var all []string
	for _, path := range []string{"/a", "/b", "/plain"} {
		if got := recalled(ask(n, path)); got != "" {
			all = append(all, got)
		}
	}
	return strings.Join(all, " ")
}

// What was invalidated does not come back after a kill, and the rest does.
func TestDisk_InvalidatedStaysAway(t *testing.T) {
	for name, test := range map[string]struct {
		invalidate func(n *Namespace)
		kept       string
	}{
		"all":           {func(n *Namespace) { n.Invalidate() }, ""},
		"purge of all":  {func(n *Namespace) { n.Purge(Selection{}) }, ""},
		"resource":      {func(n *Namespace) { n.InvalidateResource(Resource{"https", "shop.test", "/a"}) }, "b plain"},
		"tag":           {func(n *Namespace) { n.InvalidateTags("x") }, "b"},
		"purge by tag":  {func(n *Namespace) { n.Purge(Selection{Tag: "x"}) }, "b plain"},
		"purge by path": {func(n *Namespace) { n.Purge(Selection{Path: "/b"}) }, "a plain"},
		"drop":          {func(n *Namespace) { n.Drop() }, ""},
		"replaced": {func(n *Namespace) {
			n.space.enqueue(NewKey("/a"), ask(n, "/a").entry(Response{Header: header()}))
		}, "b plain"},
		"nothing at all": {func(*Namespace) {}, "a b plain"},
	} {
		for _, written := range []bool{true, false} {
			t.Run(fmt.Sprint(name, written), func(t *testing.T) {
				dir := t.TempDir()
				s, n := openDisk(t, dir, 1<<20, 1<<20)
				for path, tag := range map[string]string{"/a": "x", "/b": "y"} {
					r := ask(n, path)
					answer := response(r, path[1:], "Cache-Tag", tag)
					answer.Traced = true
					if _, ok := r.Put(answer); !ok {
						t.Fatal("not stored")
					}
				}
				put(t, ask(n, "/plain"), "plain")
				if written {
					s.flush()
				}
				test.invalidate(n)
				s.flush()
				if got := allRecalled(n); got != test.kept && name != "replaced" {
					t.Errorf("this process has %q, want %q", got, test.kept)
				}
				s.kill()
				_, n = openDisk(t, dir, 1<<20, 1<<20)
				if got := allRecalled(n); got != test.kept {
					t.Errorf("the next process has %q, want %q", got, test.kept)
				}
			})
		}
	}
}

func TestDisk_TakesWhatMemoryEvicts(t *testing.T) {
	s, n := openDisk(t, t.TempDir(), 1<<20, 64<<20)
	big := strings.Repeat("x", 20<<10)
	for i := range 200 { // 8 MB by weight
		put(t, ask(n, fmt.Sprint("/", i)), fmt.Sprint(i, big))
		if i%2 == 0 {
			s.flush()
		}
	}
	s.flush()
	for i := range 200 {
		if got := recalled(ask(n, fmt.Sprint("/", i))); got != fmt.Sprint(i, big) {
			t.Fatalf("%d has %d octets", i, len(got))
		}
	}
	if usage := s.Usage(); usage.Bytes > 1<<20 || usage.Disk.Read == 0 {
		t.Errorf("usage is %+v", usage)
	}
}

func TestDisk_IsBounded(t *testing.T) {
	const capacity = 256 << 10
	dir := t.TempDir()
	s, n := openDisk(t, dir, 1<<20, capacity)
	for i := range 100 {
		put(t, ask(n, fmt.Sprint("/", i)), strings.Repeat("x", 10<<10))
		s.flush()
	}
	files, err := os.ReadDir(filepath.Join(dir, "d1"))
	usage := s.Usage().Disk
	if err != nil || usage.Bytes > capacity || usage.Entries != len(files) || usage.Entries < 15 {
		t.Errorf("%d files, %+v (%v)", len(files), usage, err)
	}
	s.kill()
	s, _ = openDisk(t, dir, 1<<20, capacity/2) // smaller than before
	if usage := s.Usage().Disk; usage.Bytes > capacity/2 || usage.Entries == 0 {
		t.Errorf("%+v", usage)
	}
}

// A file that was changed since it was written is removed, and not sent.
func TestDisk_DamagedFilesAreNotUsed(t *testing.T) {
	dir := t.TempDir()
	s, n := openDisk(t, dir, 1<<20, 1<<20)
	for _, path := range []string{"/head", "/body", "/gone", "/moved", "/good"} {
		put(t, ask(n, path), "body of "+path)
	}
	s.flush()
	s.kill()
	at := func(path string) string {
		return filepath.Join(dir, "d1", fileName(variantKey{storeKey{n, NewKey(path)}, ask(n, path).entry(Response{}).variant()}))
	}
	change := func(path string, from int64) {
		f, err := os.OpenFile(at(path), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if info, _ := f.Stat(); from < 0 {
			from += info.Size()
		}
		if _, err := f.WriteAt([]byte("!"), from); err != nil {
			t.Fatal(err)
		}
	}
	change("/head", 60)
	if err := os.Rename(at("/moved"), at("/elsewhere")); err != nil {
		t.Fatal(err)
	}
	s, n = openDisk(t, dir, 1<<20, 1<<20)
	change("/body", -1)
	os.Remove(at("/gone"))
	for _, path := range []string{"/head", "/body", "/gone", "/moved", "/elsewhere"} {
		if got := recalled(ask(n, path)); got != "" {
			t.Errorf("%s has %q", path, got)
		}
	}
	if got := recalled(ask(n, "/good")); got != "body of /good" {
		t.Errorf("got %q", got)
	}
	if usage := s.Usage().Disk; usage.Damaged != 4 || usage.Entries != 1 {
		t.Errorf("%+v", usage)
	}
}

// On a full disk the cache works from memory, says so, and writes again when there is room.
func TestDisk_FullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Log("this system has no /dev/full; a folder in the way stands for a full disk")
	}
	dir := t.TempDir()
	s, n := openDisk(t, dir, 1<<20, 1<<20)
	put(t, ask(n, "/"), "body")
	obstacle := filepath.Join(dir, scratchName, "d1-"+fileName(variantKey{storeKey{n, NewKey("/")}, ask(n, "/").entry(Response{}).variant()}))
	if _, err := os.Stat("/dev/full"); err == nil {
		err = os.Symlink("/dev/full", obstacle)
		if err != nil {
			t.Fatal(err)
		}
	} else if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.flush()
	if usage := s.Usage().Disk; usage.Entries != 0 || usage.Problem == "" || body(ask(n, "/")) != "body" {
		t.Errorf("%+v", usage)
	}
	os.RemoveAll(obstacle)
	s.flush() // too early
	if usage := s.Usage().Disk; usage.Entries != 0 {
		t.Errorf("%+v", usage)
	}
	s.disk.mu.Lock()
	s.disk.paused = time.Time{}
	s.disk.mu.Unlock()
	s.flush()
	if usage := s.Usage().Disk; usage.Entries != 1 || usage.Problem != "" {
		t.Errorf("%+v", usage)
	}
}

// A file that cannot be removed is not used, now and after the next start.
func TestDisk_RemovalFails(t *testing.T) {
	dir := t.TempDir()
	s, n := openDisk(t, dir, 1<<20, 1<<20)
	put(t, ask(n, "/"), "body")
	put(t, ask(n, "/2"), "body")
	s.flush()
	file := n.space.files[NewKey("/")][0]
	os.Remove(file.path())
	if err := os.MkdirAll(filepath.Join(file.path(), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Purge(Selection{Path: "/"}); err == nil {
		t.Error("the purge reports nothing")
	}
	n.drop(func(*facts) bool { return true })
	if got := recalled(ask(n, "/2")); got != "" || s.Usage().Disk.Problem == "" {
		t.Errorf("got %q, %+v", got, s.Usage().Disk)
	}
	if err := s.Close(t.Context()); err == nil {
		t.Error("Close reports nothing")
	}
	s, _ = openDisk(t, dir, 1<<20, 1<<20)
	if usage := s.Usage().Disk; usage.Entries != 0 || usage.Problem != "" {
		t.Errorf("%+v", usage)
	}
}

// The end of the machine may lose removals.
func TestDisk_IsEmptyAfterTheMachineFailed(t *testing.T) {
	for state, want := range map[string]int{closedState: 1, openState(): 1, "open another-run\n": 0, brokenState: 0, "": 0, "clos": 0} {
		dir := t.TempDir()
		s, n := openDisk(t, dir, 1<<20, 1<<20)
		put(t, ask(n, "/"), "body")
		s.flush()
		s.kill()
		if err := os.WriteFile(filepath.Join(dir, stateName), []byte(state), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, _ = openDisk(t, dir, 1<<20, 1<<20); s.Usage().Disk.Entries != want && (state != openState() || bootID() != "") {
			t.Errorf("after %q there are %d entries", state, s.Usage().Disk.Entries)
		}
	}
}

func TestDisk_SweepKeepsOpenNamespaces(t *testing.T) {
	dir := t.TempDir()
	s, n := openDisk(t, dir, 1<<20, 1<<20)
	put(t, ask(n, "/"), "body")
	put(t, ask(s.Open("d2"), "/"), "body")
	s.flush()
	s.kill()
	s, n = openDisk(t, dir, 1<<20, 1<<20)
	if err := s.Sweep(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "d2")); !os.IsNotExist(err) {
		t.Errorf("d2 is still there (%v)", err)
	}
	if got := recalled(ask(n, "/")); got != "body" {
		t.Errorf("got %q", got)
	}
	if s.Open("d1") != n {
		t.Error("a second Open returns another namespace")
	}
	n.Drop()
	if s.Open("d1") == n {
		t.Error("Open returns a dropped namespace")
	}
}

// Whatever happens at a time, what was stored before an invalidation is not found after it.
func TestDisk_ConcurrentInvalidations(t *testing.T) {
	s, n := openDisk(t, t.TempDir(), 1<<20, 1<<20)
	var mu sync.Mutex // held while an invalidation and its number change
	var wg sync.WaitGroup
	number := 0
	for worker := range 3 {
		wg.Go(func() {
			for i := range 200 {
				r := ask(n, "/")
				mu.Lock()
				sequence, made := n.Sequence(), number
				mu.Unlock()
				answer := response(r, fmt.Sprint(made))
				answer.Sequence = sequence
				r.Put(answer)
				if worker == 0 && i%8 == 0 {
					s.flush()
				}
				if worker == 1 && i%8 == 0 {
					n.dropKey(r.Key, func(*facts) bool { return true }) // as an eviction does
				}
				mu.Lock()
				if got := recalled(ask(n, "/")); got != "" && got != fmt.Sprint(number) {
					t.Errorf("found %q of before invalidation %d", got, number)
				}
				mu.Unlock()
				if worker != 2 {
					continue
				}
				mu.Lock()
				switch i % 3 {
				case 0:
					n.Invalidate()
				case 1:
					n.InvalidateResource(Resource{"https", "shop.test", "/"})
				default:
					n.InvalidateTags("t")
				}
				number++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
