package cgroup

import "testing"

func TestOwnPath_IsVersion2(t *testing.T) {
	for list, want := range map[string]string{
		"0::/system.slice/anchor.service\n":               "/system.slice/anchor.service",
		"4:memory:/old\n1:name=systemd:/x\n0::/new one\n": "/new one",
		"0::/\n":               "/",
		"4:memory:/old\n":      "",
		"0::/../../sibling\n":  "",
		"0::/gone (deleted)\n": "",
	} {
		if got, err := ownPath(list); got != want || (err != nil) != (want == "") {
			t.Errorf("%q is at %q, %v, want %q", list, got, err, want)
		}
	}
}

func TestMount_FoundByRoot(t *testing.T) {
	const (
		tmpfs  = "24 18 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro\n"
		whole  = "29 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
		part   = "30 24 0:26 /machine /mnt/a\\040b rw shared:4 - cgroup2 cgroup2 rw\n"
		before = "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	)
	for _, one := range []struct{ mounts, path, want string }{
		{tmpfs + before + whole, "/a/b", "/sys/fs/cgroup/unified/a/b"},
		{tmpfs + whole, "/", "/sys/fs/cgroup/unified"},
		{part, "/machine/x", "/mnt/a b/x"},
		{part, "/other", ""},
		{part + whole, "/other", "/sys/fs/cgroup/unified/other"},
		{tmpfs + before, "/a", ""},
	} {
		if got, found := mountPlace(one.mounts, one.path); got != one.want || found != (one.want != "") {
			t.Errorf("%s in %q is at %q, want %q", one.path, one.mounts, got, one.want)
		}
	}
}

func TestFieldNumber_MatchesWholeName(t *testing.T) {
	const events = "low 0\nhigh 1\nmax 7\noom 3\noom_kill 2\noom_group_kill 9\n"
	for name, want := range map[string]int64{"oom_kill": 2, "oom": 3, "oom_group_kill": 9, "kill": 0} {
		if got := fieldNumber(events, name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
}
