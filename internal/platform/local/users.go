package local

import (
	"context"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/worker"
)

// Users gives each project's workers a Unix user of their own, so that one
// project's code can read neither another's environment nor Anchor's files. It
// takes root; without it the workers run as Anchor does.
type Users struct {
	Separate bool
	Why      string // why not, for `anchor doctor`
}

// The user ids lie far above those that systems give out (useradd's UID_MAX is 60000).
const (
	firstUID = 1_000_000
	uidRange = 1_000_000_000
)

// FindUsers tries whether a worker can run under another user and still reach
// what is below dir.
func FindUsers(ctx context.Context, node worker.Node, dir string) Users {
	if os.Geteuid() != 0 {
		return Users{Why: "Anchor does not run as root, so workers share its user"}
	}
	for at := dir; at != filepath.Dir(at); at = filepath.Dir(at) {
		if info, err := os.Stat(at); err != nil || info.Mode()&0o001 == 0 {
			return Users{Why: at + " lets no other user through (chmod o+x), so workers share Anchor's user"}
		}
	}
	try := exec.CommandContext(ctx, node.Path, "--version")
	try.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: firstUID, Gid: firstUID}}
	try.Dir = "/"
	if err := try.Run(); err != nil {
		return Users{Why: "another user cannot run " + node.Path + " (" + err.Error() + "), so workers share Anchor's user"}
	}
	return Users{Separate: true}
}

func (u Users) of(p anchor.ProjectID) *worker.User {
	if !u.Separate {
		return nil
	}
	h := fnv.New64a()
	h.Write([]byte(p))
	id := firstUID + uint32(h.Sum64()%uidRange)
	return &worker.User{UID: id, GID: id}
}
