// Package jail starts an untrusted program so that it reaches only what it needs, and so that no
// process it starts outlives it.
//
// On Linux the program is not started directly. The running executable is started once more as an
// init process (anchor-jail in a process list), in namespaces of its own where the system permits
// them. The init process builds a root file system that holds the operating system's programs, the
// folders named by Spec.ReadOnly, and an empty /tmp. It sets resource limits, becomes Spec.User,
// drops its capabilities, and starts the program under Landlock rules and a seccomp filter. It then
// reaps the processes that the program leaves behind and reports the program's exit code.
//
// What can be enforced depends on the system and on the user who runs Anchor: see Level. Try finds
// out.
package jail
