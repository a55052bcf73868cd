package worker

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// withinWalls returns a pool of the hostile app at the level of this run of the tests, the highest
// by default.
func withinWalls(t *testing.T) *site {
	t.Helper()
	useWalls(t)
	return newSite(t, Spec{Dir: hostileTree(t), Tree: "own", Min: 1})
}

// useWalls puts the pools of a test within walls.
func useWalls(t *testing.T) jail.Level {
	t.Helper()
	if level := testWalls().Level; level > jail.None {
		return level
	}
	level := jail.Namespaced
	if os.Geteuid() == 0 {
		level = jail.Separated
	}
	walls, err := jail.Try(t.Context(), level, testNode(t).Path, testUser(jail.Walls{Level: level}))
	if err != nil {
		t.Fatal(err)
	}
	before := testWalls
	testWalls = func() jail.Walls { return walls }
	t.Cleanup(func() { testWalls = before })
	return level
}

// hostileTree returns a bundle with the program of its probes, which is this test binary.
func hostileTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/hostile")); err != nil {
		t.Fatal(err)
	}
	copyProgram(t, filepath.Join(dir, "probe"))
	return dir
}

func copyProgram(t *testing.T, to string) {
	t.Helper()
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	file, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.Copy(file, from); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWalls_HostileAppReachesNothing(t *testing.T) {
	s, other := withinWalls(t), withinWalls(t)
	warm(t, s.Pool)
	warm(t, other.Pool)
	level := testWalls().Level
	secret := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(secret, []byte("key"), 0o644); err != nil {
		t.Fatal(err)
	}
	abstract, err := net.Listen("unix", "@anchor-test-"+strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	anchor, neighbour := strconv.Itoa(os.Getpid()), strconv.Itoa(nodeOf(t, other.Pool))
	out := []string{"ENOENT", "EACCES"} // not in sight, or not allowed
	noProcess := []string{"ESRCH", "EPERM"}
	eperm, enosys := []string{"EPERM"}, []string{"ENOSYS"}

	attacks := []struct {
		name, arg string
		want      []string
	}{
		{"read", secret, out},
		{"read", "/etc/shadow", out},
		{"read", "/etc/ssl/private", out},
		{"read", "/root/.bashrc", out},
		{"read", filepath.Join(other.spec.Dir, "index.mjs"), out},
		{"list", other.spec.Dir, out},
		{"list", other.home.tmpPath(), out},
		{"list", other.home.dir, out},
		{"list", "/home", out},
		{"list", "/var", out},
		{"list", "/sys", out},
		{"read", "/proc/" + anchor + "/environ", out},
		{"read", "/proc/" + neighbour + "/environ", out},
		{"read", "/proc/kcore", append(out, "EPERM")},
		{"read", "/dev/mem", out},
		{"read", "/dev/kmsg", out},
		{"write", filepath.Join(s.spec.Dir, "index.mjs"), []string{"EROFS", "EACCES"}},
		{"write", filepath.Join(s.home.dir, "bootstrap", "main.mjs"), []string{"EROFS", "EACCES"}},
		{"write", "/usr/bin/planted", []string{"EROFS", "EACCES"}},
		{"write", "/etc/passwd", []string{"EROFS", "EACCES"}},
		{"write", "/planted", []string{"EROFS", "EACCES"}},
		{"write", "/proc/sys/kernel/core_pattern", append(out, "EROFS")},
		{"device", filepath.Join(tmpOf(s), "mem"), eperm},
		{"dial", abstract.Addr().String(), eperm},

		{"signal", anchor, noProcess},
		{"signal", neighbour, noProcess},
		{"ptrace", anchor, eperm},
		{"ptrace", neighbour, eperm},
		{"peek", neighbour, eperm},
		{"limit", neighbour, noProcess},

		{"mount", tmpOf(s), eperm}, {"unmount", tmpOf(s), eperm}, {"chroot", "/", eperm}, {"pivot", "", eperm},
		{"unshare", "", eperm}, {"clone", "", eperm}, {"clone3", "", enosys}, {"setns", "", eperm},
		{"openTree", "", eperm}, {"fsopen", "", eperm}, {"handle", "", eperm},
		{"keyctl", "", eperm}, {"addKey", "", eperm}, {"bpf", "", eperm}, {"perf", "", eperm},
		{"userfaultfd", "", eperm}, {"ioUring", "", enosys}, {"module", "", eperm}, {"kexec", "", eperm},
		{"reboot", "", eperm}, {"swapon", "", eperm}, {"hostname", "", eperm}, {"clock", "", eperm},
		{"personality", "", eperm}, {"pidfd", "", eperm}, {"x32", "", enosys}, {"terminal", "", eperm}, {"setuid", "", []string{"EPERM", "EINVAL"}},

		{"packet", "", []string{"EAFNOSUPPORT"}}, {"alg", "", []string{"EAFNOSUPPORT"}}, {"vsock", "", []string{"EAFNOSUPPORT"}},
		{"bluetooth", "", []string{"EAFNOSUPPORT"}}, {"raw", "", eperm}, {"netfilter", "", []string{"EPROTONOSUPPORT"}},

		{"memory", "", []string{"ENOMEM"}}, {"descriptors", "", []string{"EMFILE"}},
	}
	if level >= jail.Namespaced {
		attacks = append(attacks, []struct {
			name, arg string
			want      []string
		}{
			{"processes", "", []string{"EAGAIN"}},
			{"dial", socketOf(other.Pool), out},
			{"read", "/proc/" + anchor + "/status", out},
		}...)
	}
	for _, a := range attacks {
		query := url.Values{"name": {a.name}, "arg": {a.arg}}
		if got := s.get(t, "/probe?"+query.Encode()).body; !slices.Contains(a.want, got) {
			t.Errorf("level %d: %s %s: %s, want one of %v", level, a.name, a.arg, got, a.want)
		}
	}
	if a := other.get(t, "/"); a.StatusCode != 200 {
		t.Errorf("the neighbour answers %d afterwards", a.StatusCode)
	}
}

// tmpOf returns TMPDIR as the app sees it.
func tmpOf(s *site) string {
	if testWalls().Level >= jail.Namespaced {
		return "/tmp"
	}
	return s.home.tmpPath()
}

func initOf(t *testing.T, p *Pool) int {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.procs) == 0 {
		t.Fatal("the pool has no process")
	}
	return p.procs[0].cmd.Process.Pid
}

func nodeOf(t *testing.T, p *Pool) int {
	t.Helper()
	for _, pid := range jail.Descendants(initOf(t, p)) {
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(command), p.home.main()) {
			return pid
		}
	}
	t.Fatal("the init process has not started Node.js")
	return 0
}

func socketOf(p *Pool) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.procs[0].socket
}

func TestWalls_AppsWork(t *testing.T) {
	level := useWalls(t)
	s := newSite(t, Spec{Dir: "testdata/inside"})
	results := decode[map[string]string](t, s.get(t, "/").body)
	if len(results) < 20 {
		t.Errorf("only %d results: %v", len(results), results)
	}
	for name, result := range results {
		if result != "ok" {
			t.Errorf("level %d: %s: %s", level, name, result)
		}
	}
}

func TestWalls_NothingOutlivesProcess(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *site){
		"it exits":   func(t *testing.T, s *site) { s.get(t, "/exit") },
		"it is shot": func(t *testing.T, s *site) { _ = unix.Kill(nodeOf(t, s.Pool), unix.SIGKILL) },
		"the pool drains": func(t *testing.T, s *site) {
			if err := s.Drain(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"the pool is closed": func(_ *testing.T, s *site) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s := withinWalls(t)
			s.get(t, "/detach")
			all := startedBelow(t, initOf(t, s.Pool), 3)
			end(t, s)
			for _, pid := range all {
				awaitGone(t, pid)
			}
		})
	}
}

// startedBelow returns the processes below pid once there are n.
func startedBelow(t *testing.T, pid, n int) []int {
	t.Helper()
	for deadline := time.Now().Add(testPatience); ; time.Sleep(5 * time.Millisecond) {
		all := jail.Descendants(pid)
		if len(all) >= n && settled(all) {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("below process %d are %v, not %d processes", pid, all, n)
		}
	}
}

// settled reports whether the program that leaves an orphan has ended.
func settled(pids []int) bool {
	for _, pid := range pids {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && strings.Contains(string(environ), "WORKER_TEST_PROBE=orphan\x00") && !strings.Contains(string(environ), "WORKER_TEST_PROBE=wait") {
			return false
		}
	}
	return true
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(testPatience); unix.Kill(pid, 0) == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d lives on", pid)
		}
	}
}

func TestWalls_NothingOutlivesKilledServer(t *testing.T) {
	killAnchor(t, "detach.handler", strconv.Itoa(int(useWalls(t))))
}

// TestWalls_OrdinaryUser runs the tests above where the server is not root: with user
// namespaces, and where the system refuses them.
func TestWalls_OrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // the tests above have done it
	}
	dir, err := os.MkdirTemp("/tmp", "ordinary") // t.TempDir is below a folder that is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	tests := filepath.Join(dir, "tests")
	copyProgram(t, tests)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	for level, stage := range map[jail.Level]string{jail.Namespaced: "", jail.Filtered: "refuse"} {
		t.Run(fmt.Sprintf("level %d", level), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), tests, "-test.run=^(TestAHostile|TestAppsWork|TestNothingOutlives)")
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir, "WORKER_TEST_LEVEL=" + strconv.Itoa(int(level)), "WORKER_TEST_STAGE=" + stage}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			if stage != "" {
				cmd.SysProcAttr = inUserNamespace()
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

const nobody = 65534

// inUserNamespace starts a process that may set the limits of its own user namespace, see
// refuseNamespaces.
func inUserNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: nobody, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: nobody, Size: 1}},
		Credential:  &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true},
		AmbientCaps: []uintptr{unix.CAP_SYS_RESOURCE},
	}
}

// refuseNamespaces makes this user namespace one in which no other can be made (namespaces(7)),
// gives up the right to change that, and starts the tests.
func refuseNamespaces() {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0o644); err != nil {
		panic(err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		panic(err)
	}
	if err := os.Unsetenv("WORKER_TEST_STAGE"); err != nil {
		panic(err)
	}
	panic(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}
