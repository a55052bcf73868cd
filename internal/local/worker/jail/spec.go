package jail

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// User is the user and the group that a program runs as.
type User struct{ UID, GID uint32 }

// Spec describes a program and what it may reach. Paths are absolute.
type Spec struct {
	Level Level
	Join  bool  // a control group, see Walls.Within
	User  *User // nil: the user that runs Anchor

	Path string
	Args []string // without the program's name
	Env  []string
	Dir  string // working directory

	// Root is an empty folder; from Namespaced on, the program's root file system is mounted there.
	Root string
	// ReadOnly are files and folders that the program may read and execute besides the operating
	// system's.
	ReadOnly []string
	// Writable are folders that the program may write to, besides /tmp from Namespaced on.
	Writable []string

	Limits Limits
	Files  []*os.File `json:"-"` // descriptors 3 and up of the program
}

// Limits bound the resources of one program. Zero sets no limit.
type Limits struct {
	Processes uint64 // processes and threads, of the user (RLIMIT_NPROC)
	Files     uint64 // open descriptors of a process (RLIMIT_NOFILE)
	Data      uint64 // bytes of private memory of a process (RLIMIT_DATA); RLIMIT_AS would break V8
	Tmp       uint64 // bytes in /tmp, from Namespaced on
}

// Installation returns the paths that a program outside of the operating system's folders needs to
// run: the folder that it is installed in when that folder is recognizably Node.js's, else its file
// alone, since the folder may be a home.
func Installation(program string) ([]string, error) {
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		return nil, err
	}
	for _, dir := range systemFolders {
		if strings.HasPrefix(real, dir+"/") {
			return nil, nil
		}
	}
	prefix := filepath.Dir(filepath.Dir(real))
	if filepath.Base(filepath.Dir(real)) == "bin" && prefix != "/" {
		for _, mark := range []string{"include/node", "lib/node_modules"} {
			if _, err := os.Stat(filepath.Join(prefix, mark)); err == nil {
				return []string{prefix}, nil
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	return []string{real}, nil
}

// systemFolders hold the operating system's programs and libraries. On most systems some are links
// into others.
var systemFolders = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"}

// settings are the files of /etc that programs need: names, certificates, time zones, the loader's
// cache. The rest of /etc may hold passwords.
var settings = []string{
	"/etc/alternatives", "/etc/ca-certificates", "/etc/crypto-policies", "/etc/fonts", "/etc/gai.conf", "/etc/host.conf",
	"/etc/hosts", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/mime.types",
	"/etc/nsswitch.conf", "/etc/os-release", "/etc/protocols", "/etc/resolv.conf", "/etc/services",
	"/etc/timezone",
}

// certificates may be read, too, but not the keys in /etc/ssl/private and /etc/pki/tls/private.
var certificates = []string{"/etc/ssl/certs", "/etc/pki/ca-trust", "/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/tls/openssl.cnf", "/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem"}

// accounts hold names of users and groups. From Namespaced on, the program sees its own versions.
var accounts = []string{"/etc/passwd", "/etc/group"}

// devices may be used by every program.
var devices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}
