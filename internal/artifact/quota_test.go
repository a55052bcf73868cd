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
func TestUploadsThatNobodyOwnsAreBounded(t *testing.T) {
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
