package worker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
	"github.com/anchor-deploy/anchor/internal/local/worker/egress"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// fenced returns a pool of the hostile app behind a fence around api; nil where the system has no
// fence, which it must report.
func fenced(t *testing.T, api netip.AddrPort, nameservers ...netip.Addr) *site {
	t.Helper()
	tree := cgroup.Open()
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	err := tree.Why()
	if tree.Folder() != nil {
		err = egress.Attach(tree.Folder(), egress.Rules(api, nameservers))
	}
	if err != nil {
		reasons := []error{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL, unix.ENODEV}
		if !slices.ContainsFunc(reasons, func(r error) bool { return errors.Is(err, r) }) {
			t.Errorf("the reason is %v", err)
		}
		return nil
	}
	if level := useWalls(t); level != jail.Separated {
		t.Fatalf("addresses can be closed, and the walls are at level %d", level)
	}
	return newSite(t, Spec{Dir: hostileTree(t), Tree: "own", Min: 1, Group: tree.Group("fenced")})
}

func (s *site) probe(t *testing.T, name, arg string) string {
	t.Helper()
	return s.get(t, "/probe?"+url.Values{"name": {name}, "arg": {arg}}.Encode()).body
}

// listenTCP returns the port of a listener that accepts.
func listenTCP(t *testing.T, address string) uint16 {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return netip.MustParseAddrPort(ln.Addr().String()).Port()
}

var waysToSend = []string{"tcp", "fastOpen", "udp", "udpConnected", "udpMessages"}

func TestEgress_DeniesMetadata(t *testing.T) {
	s := fenced(t, netip.MustParseAddrPort("127.0.0.1:3080"))
	if s == nil {
		return
	}
	for _, address := range []string{
		"169.254.169.254:80", "[::ffff:169.254.169.254]:80", "169.254.170.2:80", "169.254.0.1:443", "169.254.255.255:53",
		"[fd00:ec2::254]:80", "[fd00:ec2::23]:80", "[fd20:ce::254]:80", "[fd00:42::42]:80",
		"[fe80::a9fe:a9fe]:80", "[febf:ffff::1]:80",
		"100.100.100.200:80", "[::ffff:100.100.100.200]:80", "168.63.129.16:80", "168.63.129.16:32526", "192.0.0.192:80",
	} {
		for _, way := range waysToSend {
			if got := s.probe(t, way, address); got != "EPERM" {
				t.Errorf("%s to %s: %s, want EPERM", way, address, got)
			}
		}
	}
	for _, protocol := range []string{"multipath", "sctp", "udpLite"} {
		// Some kernels lack it, and the others refuse it.
		if got := s.probe(t, protocol, ""); got != "EPERM" && got != "EPROTONOSUPPORT" && got != "ESOCKTNOSUPPORT" {
			t.Errorf("a socket of %s: %s", protocol, got)
		}
	}
}

func TestEgress_DeniesAPI(t *testing.T) {
	for _, at := range []struct {
		listen     string
		everywhere bool
	}{{"127.0.0.1:0", false}, {"0.0.0.0:0", true}, {"[::]:0", true}} {
		t.Run(at.listen, func(t *testing.T) {
			port := listenTCP(t, at.listen)
			api := netip.AddrPortFrom(netip.MustParseAddrPort(at.listen).Addr(), port)
			s := fenced(t, api)
			if s == nil {
				return
			}
			addresses := []string{"127.0.0.1", "127.8.9.10", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]"}
			if at.everywhere {
				addresses = append(append(addresses, machineAddresses(t)...), "192.0.2.1", "[2001:db8::1]")
			}
			for _, address := range addresses {
				for _, way := range []string{"tcp", "fastOpen"} {
					if got := s.probe(t, way, fmt.Sprintf("%s:%d", address, port)); got != "EPERM" {
						t.Errorf("%s to %s: %s, want EPERM", way, address, got)
					}
				}
			}
		})
	}
}

// machineAddresses returns this machine's addresses in the form in which they precede a port.
func machineAddresses(t *testing.T) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, a := range all {
		address := netip.MustParsePrefix(a.String()).Addr()
		host := address.String()
		if address.Is6() {
			host = "[" + host + "]"
		}
		list = append(list, host)
	}
	return list
}

func TestEgress_AllowsRest(t *testing.T) {
	server, far := netip.MustParseAddr("169.254.169.253"), netip.MustParseAddr("fd00:ec2::253")
	s := fenced(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), listenTCP(t, "127.0.0.1:0")), server, far)
	if s == nil {
		return
	}
	other := listenTCP(t, "127.0.0.1:0")
	for _, address := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		for _, way := range waysToSend {
			if got := s.probe(t, way, fmt.Sprintf("%s:%d", address, other)); got != "done" {
				t.Errorf("%s to %s: %s", way, address, got)
			}
		}
	}
	for _, address := range []string{"169.254.169.253:53", "[::ffff:169.254.169.253]:53", "[fd00:ec2::253]:53"} {
		// Whether there is a route to it depends on the machine.
		if got := s.probe(t, "udpConnected", address); got == "EPERM" {
			t.Errorf("the name server at %s: %s", address, got)
		}
		if got := s.probe(t, "udpConnected", address[:len(address)-2]+"80"); got != "EPERM" {
			t.Errorf("another port of the name server at %s: %s", address, got)
		}
	}
	for _, address := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "100.100.100.201:80", "[fec0::1]:80", "168.63.129.17:80"} {
		if got := s.probe(t, "udpConnected", address); got == "EPERM" {
			t.Errorf("%s is closed", address)
		}
	}
}

func TestEgress_LeavesNoDescriptors(t *testing.T) {
	s := fenced(t, netip.MustParseAddrPort("127.0.0.1:3080"))
	if s == nil {
		return
	}
	warm(t, s.Pool)
	for _, pid := range []int{initOf(t, s.Pool), nodeOf(t, s.Pool)} {
		folder := fmt.Sprintf("/proc/%d/fd", pid)
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if to, err := os.Readlink(folder + "/" + file.Name()); err == nil && (strings.Contains(to, "cgroup.procs") || strings.Contains(to, "anchor-workers")) {
				t.Errorf("process %d holds %s", pid, to)
			}
		}
	}
}
