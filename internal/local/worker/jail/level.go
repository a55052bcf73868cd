package jail

import "os"

// Level is how far a program is separated from the rest of the machine. A higher level includes the
// lower ones.
type Level int

const (
	// None leaves the program every right of the user it runs as. On Linux its children still end
	// with it.
	None Level = iota
	// Filtered limits files by Landlock, system calls by seccomp, and resources. The program sees
	// which other processes and files exist.
	Filtered
	// Namespaced adds a separate root file system and process table, through a user namespace.
	Namespaced
	// Separated is Namespaced for a server that runs as root: each User also has a separate user
	// id.
	Separated
)

// String describes the level for people.
func (l Level) String() string {
	switch l {
	case Separated:
		return "own user, file system and process table"
	case Namespaced:
		return "own file system and process table"
	case Filtered:
		return "filtered files and system calls"
	default:
		return "no isolation"
	}
}

// Leaves describes, for people, what the level does not keep a program from. It is empty when a
// higher level would not either.
func (l Level) Leaves() string {
	switch l {
	case Separated:
		return ""
	case Namespaced:
		return "the workers of all projects share Anchor's user id, and with it what the system allows one user"
	case Filtered:
		return "a project's workers see other processes and the names of files, and reach unix sockets of other projects"
	default:
		return "a project's workers can read and change what Anchor can: its key, its records, other projects' files and variables"
	}
}

// Within returns walls whose programs run in a control group (cgroups(7)). members is the group's
// cgroup.procs, open for writing for as long as programs are started; nil leaves programs in
// Anchor's group.
func (w Walls) Within(members *os.File) Walls {
	w.group = members
	return w
}

// Walls separate programs from the machine at the Level that Try found possible. The zero value
// starts programs without separation.
type Walls struct {
	Level Level
	init  bool     // programs get an init process
	group *os.File // where a process joins the control group of programs; nil: they stay in Anchor's
}
