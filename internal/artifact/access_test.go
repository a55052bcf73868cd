package artifact_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// TestAdmit_OpensTree: two deployments share the file's inode, so the
// folders must enforce the difference.
func TestAdmit_OpensTree(t *testing.T) {
	store, mine, other := openStore(t), newID(), newID()
	for _, id := range []anchor.DeploymentID{mine, other} {
		upload(t, store, id, writeTree(t, map[string]string{"server/app/.env": "SECRET=1"}))
		_, _, err := store.Unpack(t.Context(), id)
		must(t, err)
		wantMode(t, store.Tree(id), 0o700)
	}
	must(t, store.Admit(t.Context(), mine, os.Getgid()))
	wantMode(t, store.Tree(mine), 0o750)
	wantMode(t, store.Tree(other), 0o700)

	_, _, err := store.Unpack(t.Context(), mine)
	must(t, err)
	wantMode(t, store.Tree(mine), 0o750)
}

func TestAdmit_GroupReadsItsTreesOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can try what another user sees
	}
	const mine, others = 1_000_123, 1_000_124
	base, err := os.MkdirTemp("/tmp", "admit") // t.TempDir is below a folder that is closed to other users
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(base) })
	must(t, os.Chmod(base, 0o711))
	store := reopen(t, filepath.Join(base, "artifacts"))
	read := func(file string, user uint32) error {
		cmd := exec.Command("/bin/cat", file)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
		return cmd.Run()
	}
	defer syscall.Umask(syscall.Umask(0o077))
	id := newID()
	upload(t, store, id, writeTree(t, map[string]string{"server/app/deep/er/.env": "SECRET=1"}))
	_, _, err = store.Unpack(t.Context(), id)
	must(t, err)
	file := filepath.Join(store.Tree(id), "server/app/deep/er/.env")
	if read(file, mine) == nil || read(file, others) == nil {
		t.Error("users read a tree that nobody was admitted to")
	}
	must(t, store.Admit(t.Context(), id, mine))
	if err := read(file, mine); err != nil {
		t.Errorf("its own user does not read it: %v", err)
	}
	if read(file, others) == nil {
		t.Error("another user reads it")
	}
}

func TestOpen_ClosesTreesOfEarlierVersions(t *testing.T) {
	dir := t.TempDir()
	store, old, admitted := reopen(t, dir), newID(), newID()
	for _, id := range []anchor.DeploymentID{old, admitted} {
		upload(t, store, id, writeTree(t, map[string]string{"a": "1"}))
		_, _, err := store.Unpack(t.Context(), id)
		must(t, err)
	}
	must(t, os.Chmod(store.Tree(old), 0o755))
	must(t, store.Admit(t.Context(), admitted, os.Getgid()))
	again := reopen(t, dir)
	wantMode(t, again.Tree(old), 0o700)
	wantMode(t, again.Tree(admitted), 0o750)
}

func TestAdmit_MissingTree(t *testing.T) {
	store := openStore(t)
	if err := store.Admit(t.Context(), newID(), os.Getgid()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a deployment without a tree: %v", err)
	}
	if err := store.Admit(t.Context(), "../..", os.Getgid()); anchor.KindOf(err) != anchor.KindInvalid {
		t.Errorf("a name that is not an id: %v", err)
	}
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != want {
		t.Errorf("%s has the mode %v, want %v", filepath.Base(path), info.Mode().Perm(), want)
	}
}
