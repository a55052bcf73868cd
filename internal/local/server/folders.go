package server

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/project/secret"
)

// openKey reads the key of the environment variables. It creates a key for a new data folder only:
// records that another key sealed could never be read again.
func (a *app) openKey() (*secret.Box, error) {
	f := folder(a.Data)
	if _, err := os.Stat(f.recordsPath()); err == nil {
		return f.keyInUse()
	}
	return secret.Open(f.keyPath())
}

func (f folder) keyPath() string { return f.joinPath("secret.key") }

// keyInUse reads the key of a folder that has been used. It refuses a missing or unusable key and
// never creates one.
func (f folder) keyInUse() (*secret.Box, error) {
	if _, err := os.Stat(f.keyPath()); errors.Is(err, fs.ErrNotExist) {
		return nil, anchor.Invalid("key_missing", "%s is missing; it holds the key that encrypts the records in this folder", f.keyPath()).
			Hintf("%s", f.keyHint())
	}
	box, err := secret.Open(f.keyPath())
	if anchor.CodeOf(err) == "key_damaged" {
		return nil, anchor.Failed("key_damaged", "%s cannot be used", f.keyPath()).Hintf("%s", f.keyHint()).Because(err)
	}
	return box, err
}

// checkKeyInUse refuses a folder that holds records or deployments without a usable key.
func (f folder) checkKeyInUse() error {
	ids, err := f.listDeployments()
	if err != nil {
		return err
	}
	if _, err := os.Stat(f.recordsPath()); err != nil && len(ids) == 0 {
		return nil
	}
	_, err = f.keyInUse()
	return err
}

func (f folder) keyHint() string {
	return "Restore it from a backup of the data folder. Without a backup the environment variables are lost;\n" +
		"create a new key with this command, start Anchor, set every variable again and redeploy each project.\n" +
		"(umask 077; head -c 32 /dev/urandom >" + shellQuoted(f.keyPath()) + ")"
}

// plainWord matches what no POSIX shell treats specially.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuoted returns text as one word of a POSIX shell, in quotes only where necessary.
func shellQuoted(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// runFolder creates the folder of sockets and temporary files. Its name is short, as the path of a
// socket has 108 bytes at most (unix(7)). The name stays the same, so that the remains of a killed
// Anchor are removed.
func (a *app) runFolder() (string, error) {
	h := fnv.New64a()
	h.Write([]byte(a.Data))
	run := filepath.Join(os.TempDir(), fmt.Sprintf("anchor-%x", h.Sum64()))
	if err := os.RemoveAll(run); err != nil {
		return "", fmt.Errorf("clear the folder for sockets: %w", err)
	}
	// Mkdir, not MkdirAll: nobody else may have created it in between.
	if err := os.Mkdir(run, 0o711); err != nil {
		return "", fmt.Errorf("create the folder for sockets: %w", err)
	}
	a.onClose(func() error { return os.RemoveAll(run) })
	if err := os.Chmod(run, 0o711); err != nil {
		return "", fmt.Errorf("open the folder for sockets to workers: %w", err)
	}
	return run, nil
}
