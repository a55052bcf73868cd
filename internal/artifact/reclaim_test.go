package artifact_test

import "testing"

// The next attempt of a failed deployment needs its contents again. That a full disk gets them back
// is held end to end, on a small disk.
func TestReclaim_KeepsContentsWhileThereIsRoom(t *testing.T) {
	store, id := openStore(t), newID()
	must(t, store.SaveManifest(t.Context(), id, manifestOf(map[string]string{"a": "one"})))
	put(t, store, "one")
	must(t, store.Reclaim(t.Context(), id))
	must(t, store.Reclaim(t.Context(), newID()))
	missing, err := store.Missing(t.Context(), id)
	if err != nil || len(missing) > 0 {
		t.Errorf("%v is missing, %v", missing, err)
	}
}
