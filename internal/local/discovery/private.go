package discovery

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// writePrivate replaces the file by v as JSON, in one step, readable for this user only.
func writePrivate(name string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return atomicfile.WriteFile(name, append(content, '\n'), 0o600)
}

// readPrivate reads a file that writePrivate wrote. It refuses a file that others could have read:
// its token is not secret.
func readPrivate[T any](name string) (v T, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return v, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return v, fmt.Errorf("other users can read the token in it: its mode is %04o", mode)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(content, &v); err != nil {
		return v, fmt.Errorf("it is damaged: %w", err)
	}
	return v, nil
}
