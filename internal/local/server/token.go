package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// localToken returns the token with which the CLI on this machine authenticates. It is stored in a
// file that only Anchor's own user can read, and replaced when that file is lost or the token is
// revoked.
func (a *app) localToken(ctx context.Context) (string, error) {
	old, err := os.ReadFile(a.tokenFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the token of this machine: %w", err)
	}
	secret := strings.TrimSpace(string(old))
	if t, err := a.core.Access.Check(ctx, secret); err == nil && t.Scope == anchor.ScopeAdmin {
		return secret, nil
	}
	if secret, _, err = a.core.Access.Create(ctx, "this machine", anchor.ScopeAdmin); err != nil {
		return "", fmt.Errorf("create the token of this machine: %w", err)
	}
	if err := atomicfile.WriteFile(a.tokenFile(), []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("store the token of this machine: %w", err)
	}
	return secret, nil
}

func (a *app) tokenFile() string { return filepath.Join(a.Data, "token") }
