package artifact_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/artifact"
)

func lanesOf(t *testing.T, store *artifact.Store) []string {
	t.Helper()
	var names []string
	entries, err := os.ReadDir(filepath.Join(storeDir(store), "incoming"))
	must(t, err)
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestPut_LanesTakeTurns(t *testing.T) {
	store := openStore(t)
	put(t, store, "first")
	put(t, store, "second")
	first := lanesOf(t, store)
	if len(first) != 1 {
		t.Fatalf("lanes %v", first)
	}
	store.RestLane()
	put(t, store, "third")
	if second := lanesOf(t, store); len(second) != 1 || second[0] == first[0] {
		t.Errorf("after a rest: lanes %v, before %v", second, first)
	}
	wantNoLeftovers(t, store)
}

// TestPut_LaneInUseStays: a content that is on its way keeps its folder.
func TestPut_LaneInUseStays(t *testing.T) {
	store := openStore(t)
	content := "slow content"
	digest := artifact.DigestOf([]byte(content))
	slow := readerFunc(func(p []byte) (int, error) {
		store.RestLane()
		put(t, store, "meanwhile")
		if n := len(lanesOf(t, store)); n != 2 {
			t.Errorf("%d lanes while a content is on its way", n)
		}
		return strings.NewReader(content).Read(p)
	})
	must(t, store.Put(t.Context(), digest, int64(len(content)), &once{from: slow}))
	store.RestLane()
	put(t, store, "later")
	if n := len(lanesOf(t, store)); n != 1 {
		t.Errorf("%d lanes afterwards", n)
	}
	for _, text := range []string{content, "meanwhile", "later"} {
		file, err := store.Content(artifact.DigestOf([]byte(text)), int64(len(text)))
		must(t, err)
		must(t, file.Close())
	}
}

// TestPut_LaneChangesUnderUploads: each content has its file, whatever the others do to the lanes.
func TestPut_LaneChangesUnderUploads(t *testing.T) {
	store := openStore(t)
	var senders sync.WaitGroup
	for sender := range 8 {
		senders.Go(func() {
			for n := range 50 {
				store.RestLane()
				content := fmt.Sprint("content ", sender, n)
				err := store.Put(t.Context(), artifact.DigestOf([]byte(content)), int64(len(content)), strings.NewReader(content))
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
	store.RestLane()
	put(t, store, "last")
	if n := len(lanesOf(t, store)); n != 1 {
		t.Errorf("%d lanes are left", n)
	}
}

func TestPut_WithoutFolder(t *testing.T) {
	store := openStore(t)
	must(t, os.RemoveAll(filepath.Join(storeDir(store), "incoming")))
	err := store.Put(t.Context(), artifact.DigestOf([]byte("x")), 1, strings.NewReader("x"))
	if err == nil || !strings.Contains(err.Error(), "incoming") {
		t.Errorf("got %v", err)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// once reads one time and then ends.
type once struct {
	from readerFunc
	done bool
}

func (o *once) Read(p []byte) (int, error) {
	if o.done {
		return 0, io.EOF
	}
	o.done = true
	return o.from(p)
}
