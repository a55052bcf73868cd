package jail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	smallMount = "size=1m,mode=0755" // for folders, links and a few short files
	shmBytes   = 64 << 20
	tmpFiles   = 100_000 // files and folders in /tmp; each takes kernel memory
)

// root is the file system that a program sees, while it is being built at dir.
type root struct {
	dir  string
	spec Spec
}

// enterRoot builds the program's root file system at Root and makes it the root of this process.
// Nothing else of the machine's file systems stays in reach: pivot_root(2), unlike chroot(2),
// leaves no way back.
func (s Spec) enterRoot() error {
	// Otherwise the mounts below would appear in the machine's own table.
	if err := mountAt("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	r := root{dir: s.Root, spec: s}
	if err := mountAt("tmpfs", r.dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, smallMount); err != nil {
		return err
	}
	for _, step := range []func() error{r.showSystem, r.showSettings, r.makeDevices, r.makeScratch, r.showGranted, r.mountProc} {
		if err := step(); err != nil {
			return err
		}
	}
	return r.enterRoot()
}

func mountAt(source, target, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}

// showSystem shows the operating system's programs. Where /bin is a link to usr/bin it stays one.
func (r root) showSystem() error {
	for _, dir := range systemFolders {
		target, err := os.Readlink(dir)
		if err == nil {
			err = os.Symlink(target, r.dir+dir)
		} else {
			err = r.showPath(dir, false)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// showSettings shows parts of /etc, with accounts that name the program's user.
func (r root) showSettings() error {
	for _, list := range [][]string{settings, certificates} {
		for _, path := range list {
			if err := r.showPath(path, false); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	uid, gid := r.ownerIDs()
	for path, text := range map[string]string{
		"/etc/passwd": fmt.Sprintf("root:x:0:0:root:/:/usr/sbin/nologin\napp:x:%d:%d:app:/tmp:/bin/sh\n", uid, gid),
		"/etc/group":  fmt.Sprintf("root:x:0:\napp:x:%d:\n", gid),
	} {
		if err := os.MkdirAll(filepath.Dir(r.dir+path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(r.dir+path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (r root) ownerIDs() (uid, gid int) {
	if u := r.spec.User; u != nil {
		return int(u.UID), int(u.GID)
	}
	return os.Getuid(), os.Getgid()
}

func (r root) makeDevices() error {
	for _, path := range devices {
		if err := r.bindPath(path, 0); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(target, r.dir+"/dev/"+name); err != nil {
			return err
		}
	}
	return nil
}

// makeScratch makes the folders that anyone may write to, each with a limit: they use memory.
func (r root) makeScratch() error {
	for path, bytes := range map[string]uint64{"/tmp": r.spec.Limits.Tmp, "/dev/shm": shmBytes} {
		if err := os.MkdirAll(r.dir+path, 0o755); err != nil {
			return err
		}
		options := fmt.Sprintf("size=%d,nr_inodes=%d,mode=1777", bytes, tmpFiles)
		if err := mountAt("tmpfs", r.dir+path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
			return err
		}
	}
	return nil
}

// showGranted shows the paths that the spec names. It runs after scratch, which would cover paths below
// /tmp.
func (r root) showGranted() error {
	for _, path := range r.spec.ReadOnly {
		if err := r.showPath(path, false); err != nil {
			return err
		}
	}
	for _, path := range r.spec.Writable {
		if err := r.showPath(path, true); err != nil {
			return err
		}
	}
	return nil
}

// mountProc shows only the processes of this process table, and of those none of another user.
func (r root) mountProc() error {
	if err := os.MkdirAll(r.dir+"/proc", 0o755); err != nil {
		return err
	}
	return mountAt("proc", r.dir+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "hidepid=2")
}

// showPath makes a path of the machine visible under the same name.
func (r root) showPath(path string, writable bool) error {
	attributes := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
	if !writable {
		attributes |= unix.MOUNT_ATTR_RDONLY
	}
	return r.bindPath(path, attributes)
}

func (r root) bindPath(path string, attributes uint64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	target := r.dir + path
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(target, 0o755)
	} else {
		err = os.WriteFile(target, nil, 0o644)
	}
	if err != nil {
		return err
	}
	// Recursive: in a user namespace a folder must not be shown without what is mounted in it.
	if err := mountAt(path, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if attributes == 0 {
		return nil
	}
	err = unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attributes})
	if err != nil {
		return fmt.Errorf("set the attributes of %s: %w", path, err)
	}
	return nil
}

// enterRoot makes the folder the root and unmounts the old one.
func (r root) enterRoot() error {
	if err := os.Chdir(r.dir); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root to %s: %w", r.dir, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return mountAt("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
}
