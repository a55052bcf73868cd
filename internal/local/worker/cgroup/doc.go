// Package cgroup puts the workers of each project into a control group of their own (cgroups(7), version 2), which
// bounds what they take together: memory, processor time, processes. It uses the part of the hierarchy that the
// system delegated to Anchor's service (systemd's Delegate=yes) and nothing else of it.
package cgroup

// Limits bound what the processes of a group take together. Zero sets no limit.
type Limits struct {
	Memory    int64 // bytes
	CPUMillis int64 // thousandths of a core
	Processes int64 // processes and threads
	// CPUWeight is the group's share of processor time beside other groups that want it, from 1 to 10000; the
	// kernel's default, and that of 0, is 100. It takes nothing that nobody else wants.
	CPUWeight int64
}

// Controllers are the limits that groups can hold here.
type Controllers struct{ Memory, CPU, Processes bool }

// without returns the controllers that are not among the others.
func (c Controllers) without(others Controllers) Controllers {
	return Controllers{
		Memory: c.Memory && !others.Memory, CPU: c.CPU && !others.CPU, Processes: c.Processes && !others.Processes,
	}
}

// unheldLimits returns the limits that a group with these controllers cannot hold.
func (c Controllers) unheldLimits(l Limits) Limits {
	if c.Memory {
		l.Memory = 0
	}
	if c.CPU {
		l.CPUMillis = 0
	}
	if c.Processes {
		l.Processes = 0
	}
	l.CPUWeight = 0 // nothing else can hold it
	return l
}

// Usage is what a group takes now. Fields whose controller is missing are zero.
type Usage struct {
	Memory    int64 // bytes, the kernel's caches of the group's files included
	Processes int64 // processes and threads
	Kills     int64 // processes that the kernel killed at the memory limit
}
