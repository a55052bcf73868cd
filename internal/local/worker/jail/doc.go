// Package jail starts a program that is not trusted so that it reaches only what it needs, and so that nothing the
// program starts outlives it.
//
// On Linux the program is not started directly. The running executable is started once more as an init process
// (anchor-jail in a process list), in namespaces of its own where the system permits them. The init process builds
// a root file system that holds the operating system's programs, the folders named by Spec.ReadOnly, and an empty
// /tmp; it sets resource limits, becomes Spec.User, gives up its capabilities, and starts the program under Landlock
// rules and a seccomp filter. It then reaps what the program leaves behind and reports the program's exit code.
//
// What can be enforced depends on the system and on who runs Anchor: see Level. Try finds out.
package jail
