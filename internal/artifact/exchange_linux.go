package artifact

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// exchangePaths swaps two files or folders in one step (renameat2(2)).
func exchangePaths(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

// renameNew renames a file to a name that must be free (renameat2(2)). Some file systems cannot:
// errors.ErrUnsupported.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) {
		return errors.ErrUnsupported
	}
	return err
}

// spreadFolders has ext4 put each new folder below a folder, and the files in it, into a block group
// that it chooses by the new folder's name (chattr(1), attribute T). Other file systems do not know
// the attribute, and none of them needs it.
func spreadFolders(folder *os.File) {
	const topDir = 0x00020000 // FS_TOPDIR_FL of linux/fs.h
	if flags, err := unix.IoctlGetInt(int(folder.Fd()), unix.FS_IOC_GETFLAGS); err == nil {
		_ = unix.IoctlSetPointerInt(int(folder.Fd()), unix.FS_IOC_SETFLAGS, flags|topDir)
	}
}
