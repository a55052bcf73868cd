package artifact_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// A file of proc(5) always has more to read than its size, like a file that is being written.
func TestScan_NoticesGrowingFile(t *testing.T) {
	keep := func(p string) bool { return p == "status" }
	_, err := artifact.Scan(t.Context(), "/proc/self", &artifact.Rules{Limits: artifact.DefaultLimits, Keep: keep})
	wantCode(t, err, "file_changed")
	if !errors.Is(err, anchor.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

// full(4) answers each write as a full disk does.
func TestPut_NamesFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	must(t, err)
	_, err = full.WriteString("x")
	must(t, full.Close())
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("/dev/full returns %v", err)
	}
	wantCode(t, artifact.DiskError(err, "store the content %s", "abc"), "disk_full")
}
