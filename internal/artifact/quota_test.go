package artifact_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// unread fails the test when it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) { u.t.Error("it was read"); return 0, io.EOF }

// Contents that no deployment claims cannot fill the disk. What was sent for a deployment is
// its own once its upload is finished, and counts no longer.
func TestUnowned_UploadsAreBounded(t *testing.T) {
	store := openStore(t)
	store.MaxUnowned = 100
	send := func(content string, in io.Reader) error {
		return store.Put(t.Context(), artifact.DigestOf([]byte(content)), int64(len(content)), in)
	}
	one, two, three := strings.Repeat("1", 60), strings.Repeat("2", 40), strings.Repeat("3", 60)
	if err := send(one, iotest.ErrReader(io.ErrUnexpectedEOF)); err == nil {
		t.Fatal("an upload that broke off succeeded")
	}
	wantCode(t, send(one, strings.NewReader(three)), "wrong_digest")
	m, id := manifestOf(map[string]string{"a": one, "b": two}), newID()
	must(t, store.SaveManifest(t.Context(), id, m))
	put(t, store, one)
	put(t, store, one) // it is there already
	put(t, store, two)
	err := send(three, unread{t})
	wantCode(t, err, "upload_quota")
	if !strings.Contains(err.Error(), "bytes 100 of 100") || !strings.Contains(anchor.HintOf(err), "--max-upload-mib") {
		t.Errorf("%v: %s", err, anchor.HintOf(err))
	}
	must(t, store.Sync(t.Context(), id))
	put(t, store, three)
	wantCode(t, send(strings.Repeat("4", 60), unread{t}), "upload_quota")
	_, err = store.Collect(t.Context(), 0)
	must(t, err)
	put(t, store, strings.Repeat("4", 60))
}

// TestUnowned_FailedDeploymentsAreBounded: a deployment that finished its upload and then
// failed leaves contents on the disk, which count until they are gone or another
// deployment needs them.
func TestUnowned_FailedDeploymentsAreBounded(t *testing.T) {
	store := openStore(t)
	store.MaxUnowned = 100
	one, two, shared := strings.Repeat("1", 60), strings.Repeat("2", 60), strings.Repeat("s", 30)
	deploy := func(files map[string]string) anchor.DeploymentID {
		m, id := manifestOf(files), newID()
		must(t, store.SaveManifest(t.Context(), id, m))
		for _, content := range files {
			put(t, store, content)
		}
		must(t, store.Sync(t.Context(), id))
		return id
	}
	fail := func(id anchor.DeploymentID) {
		for range 2 { // a removal that was cut short is done again
			must(t, store.Disown(t.Context(), id))
		}
		must(t, store.Remove(t.Context(), id))
		must(t, store.Disown(t.Context(), id))
	}
	full := func() {
		t.Helper()
		err := store.Put(t.Context(), artifact.DigestOf([]byte(two)), int64(len(two)), unread{t})
		wantCode(t, err, "upload_quota")
	}
	deploy(map[string]string{"s": shared})
	fail(deploy(map[string]string{"a": one, "s": shared}))
	full()
	again := deploy(map[string]string{"a": one}) // its contents are there, and its own
	put(t, store, two)
	_, err := store.Collect(t.Context(), 0)
	must(t, err)
	fail(again)
	full()
	must(t, store.EmptyTrash(t.Context(), 0))
	_, err = store.Collect(t.Context(), 0)
	must(t, err)
	put(t, store, two)
}
