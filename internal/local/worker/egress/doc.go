// Package egress keeps programs from connecting to chosen addresses of the network, by BPF programs that are attached
// to a control group (cgroups(7)): whatever is started in the group cannot connect to a denied address or send a
// datagram there. The call fails at once with EPERM, and nothing is sent.
package egress
