package acme

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// rootFile is the name of our root in a folder of roots.
const rootFile = "anchor-local-development.crt"

// anchors describes how a family of Linux distributions takes roots: a folder and the command that
// reads it.
type anchors struct {
	dir    string
	reload []string
}

var families = []anchors{
	{"/usr/local/share/ca-certificates", []string{"update-ca-certificates"}},           // Debian, Ubuntu, Alpine
	{"/etc/pki/ca-trust/source/anchors", []string{"update-ca-trust", "extract"}},       // Fedora, RHEL
	{"/etc/ca-certificates/trust-source/anchors", []string{"trust", "extract-compat"}}, // Arch
	{"/usr/share/pki/trust/anchors", []string{"update-ca-certificates"}},               // openSUSE
}

// Trust adds or removes the internal CA's root in the system's store.
type Trust struct {
	Root     string // path of the root's PEM
	families []anchors
	system   string // runtime.GOOS
}

// TrustOf returns the trust in a root, on this system.
func TrustOf(root string) Trust { return Trust{Root: root, families: families, system: runtime.GOOS} }

// Browsers returns a text about what the system's store does not reach.
func (t Trust) Browsers() string {
	return "Firefox, and Chromium on Linux, keep stores of their own: import " + t.Root +
		" in their settings under Certificates, Authorities, or run\n" +
		"  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n anchor -i " + t.Root
}

// Install makes the system trust the root. It is idempotent. The error says what to do by hand.
func (t Trust) Install(ctx context.Context) error { return t.changeStore(ctx, true) }

// Uninstall removes the root from the system's store. It is idempotent.
func (t Trust) Uninstall(ctx context.Context) error { return t.changeStore(ctx, false) }

func (t Trust) changeStore(ctx context.Context, install bool) error {
	switch t.system {
	case "linux":
		return t.changeLinux(ctx, install)
	case "darwin":
		if install {
			return t.run(ctx, "security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", "/Library/Keychains/System.keychain", t.Root)
		}
		return t.run(ctx, "security", "remove-trusted-cert", "-d", t.Root)
	case "windows":
		if install {
			return t.run(ctx, "certutil", "-addstore", "-f", "ROOT", t.Root)
		}
		return t.run(ctx, "certutil", "-delstore", "ROOT", "Anchor local development")
	}
	return fmt.Errorf("anchor does not know the certificate store of %s: add %s to it by hand", t.system, t.Root)
}

func (t Trust) changeLinux(ctx context.Context, install bool) error {
	for _, family := range t.families {
		if info, err := os.Stat(family.dir); err != nil || !info.IsDir() {
			continue
		}
		path := filepath.Join(family.dir, rootFile)
		if err := t.placeFile(path, install); err != nil {
			return fmt.Errorf("%w\nDo it by hand:\n  sudo %s %s\n  sudo %s", err, installCommand(install, t.Root), path, strings.Join(family.reload, " "))
		}
		return t.run(ctx, family.reload[0], family.reload[1:]...)
	}
	return fmt.Errorf("no folder of trusted roots is known here: add %s to the system's store by hand", t.Root)
}

func installCommand(install bool, root string) string {
	if install {
		return "cp " + root
	}
	return "rm"
}

func (t Trust) placeFile(path string, install bool) error {
	if !install {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("remove the root from the system's store: %w", err)
		}
		return nil
	}
	data, err := os.ReadFile(t.Root)
	if err != nil {
		return fmt.Errorf("read the internal CA's root: %w", err)
	}
	return atomicfile.WriteFile(path, data, 0o644)
}

func (t Trust) run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s\nDo it by hand, as root:\n  %s %s", name, err, firstLine(string(out)), name, strings.Join(args, " "))
	}
	return nil
}
