package egress

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAttach_RefusesOtherFolders(t *testing.T) {
	folder, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	err = Attach(folder, nil)
	if !errors.Is(err, unix.EBADF) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		t.Errorf("got %v", err)
	}
}
