package sites

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/worker"
	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
	"github.com/anchor-deploy/anchor/internal/local/worker/egress"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// Users assigns each project's workers a separate Unix user, so that one project's code can read
// neither another's environment nor Anchor's files. It needs root; without it the workers run as
// Anchor's user.
type Users struct{ Separate bool }

// The user ids are far above those that systems assign (useradd's UID_MAX is 60000).
const (
	firstUID = 1_000_000
	uidRange = 1_000_000_000
)

// Isolation is how workers are kept from each other and from Anchor on this machine.
type Isolation struct {
	Walls jail.Walls
	Users Users
	Why   string // why the level is not higher; empty at the highest

	// Open says why workers reach clouds' metadata addresses and Anchor's API; it is empty when
	// they do not.
	Open string
	// Groups bound the total use of each project's workers. Nil before Confine.
	Groups *cgroup.Tree
	// Unconfined says why workers are not in a control group; it is empty when they are.
	Unconfined string
}

// Confine puts workers into control groups, one for each project, and blocks their access to the
// metadata addresses of clouds and to Anchor's API, as far as the system permits; see Groups and
// Open. It never fails: workers that cannot be confined serve, too. Close ends it.
func (i *Isolation) Confine(ctx context.Context, node worker.Node, api netip.AddrPort) {
	i.Groups = cgroup.Open()
	if err := i.tryGroup(ctx, node); err != nil {
		i.Unconfined, i.Open = err.Error(), err.Error()
		if err := i.Groups.Close(); err != nil {
			slog.Warn("remove the control groups, in which no worker starts", "error", err)
		}
		i.Groups = &cgroup.Tree{}
		return
	}
	if err := i.closeAddresses(api); err != nil {
		i.Open = err.Error()
	}
}

// TryNode checks whether workers can run a Node.js that was installed after FindIsolation.
func (i *Isolation) TryNode(ctx context.Context, node worker.Node) error {
	if i.Walls.Level == jail.None {
		return nil
	}
	if _, err := jail.Try(ctx, i.Walls.Level, node.Path, i.Users.userOf("trial")); err != nil {
		return fmt.Errorf("workers cannot run %s: %w", node.Path, err)
	}
	return nil
}

// tryGroup checks whether a worker starts in a group.
func (i *Isolation) tryGroup(ctx context.Context, node worker.Node) error {
	if i.Groups.Folder() == nil {
		return i.Groups.Why()
	}
	return i.Walls.TryWithin(ctx, i.Groups.Shared().Members(), node.Path, i.Users.userOf("trial"))
}

func (i *Isolation) closeAddresses(api netip.AddrPort) error {
	if i.Walls.Level < jail.Separated {
		return fmt.Errorf("this takes level %d", jail.Separated)
	}
	config, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without it libraries ask loopback (resolv.conf(5))
		return err
	}
	return egress.Attach(i.Groups.Folder(), egress.Rules(api, egress.Nameservers(string(config))))
}

// Close removes what Confine created. All workers must have ended.
func (i *Isolation) Close() error {
	if i.Groups == nil {
		return nil
	}
	return i.Groups.Close()
}

// FindIsolation tries the levels of isolation from the highest down, with node, and with workers
// that have to reach files below dir.
func FindIsolation(ctx context.Context, node worker.Node, dir string) Isolation {
	var user *worker.User
	levels, why := []jail.Level{jail.Namespaced, jail.Filtered, jail.None}, []string{"Anchor does not run as root"}
	if os.Geteuid() == 0 {
		user = &worker.User{UID: firstUID, GID: firstUID}
		walls, err := jail.Try(ctx, jail.Separated, node.Path, user)
		if err == nil {
			return Isolation{Walls: walls, Users: Users{Separate: true}}
		}
		levels, why = []jail.Level{jail.Filtered, jail.None}, []string{err.Error()}
		// Namespaces show a worker its files without their parents, so only the other levels depend
		// on this.
		if err := findUser(ctx, node, dir); err != nil {
			user, levels = nil, []jail.Level{jail.None} // a program that runs as root cannot be kept from anything
			why = append(why, err.Error())
		}
	}
	i := Isolation{Users: Users{Separate: user != nil}}
	for _, level := range levels {
		walls, err := jail.Try(ctx, level, node.Path, user)
		if err == nil {
			i.Walls = walls
			break
		}
		why = append(why, err.Error())
	}
	i.Why = strings.Join(why, "; ")
	return i
}

// findUser checks, as root, whether a worker can run as another user and still reach files below
// dir without a file system of its own.
func findUser(ctx context.Context, node worker.Node, dir string) error {
	for at := dir; at != filepath.Dir(at); at = filepath.Dir(at) {
		if info, err := os.Stat(at); err != nil || info.Mode()&0o001 == 0 {
			return fmt.Errorf("%s lets no other user through (chmod o+x), so workers share Anchor's user", at)
		}
	}
	try := exec.CommandContext(ctx, node.Path, "--version")
	try.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: firstUID, Gid: firstUID}}
	try.Dir = "/"
	if err := try.Run(); err != nil {
		return fmt.Errorf("another user cannot run %s, so workers share Anchor's user: %w", node.Path, err)
	}
	return nil
}

func (u Users) userOf(p anchor.ProjectID) *worker.User { return u.named(string(p)) }

// OfBuild returns the user of a project's builds. It is not the user of the project's workers: a
// preview's build must not reach what is live.
func (u Users) OfBuild(p anchor.ProjectID) *worker.User { return u.named("build/" + string(p)) }

func (u Users) named(name string) *worker.User {
	if !u.Separate {
		return nil
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	id := firstUID + uint32(h.Sum64()%uidRange)
	return &worker.User{UID: id, GID: id}
}
