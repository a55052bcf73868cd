// Package egress keeps programs from connecting to chosen network addresses. It attaches BPF
// programs to a control group (cgroups(7)): no process in the group can connect to a denied address
// or send a datagram there. The call fails at once with EPERM, and nothing is sent.
package egress
