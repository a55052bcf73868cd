package install

import (
	"context"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// FirstToken creates a token of scope admin when no valid one exists, or when another is
// requested, and returns its secret. It returns "" when it creates none.
func (i *Installation) FirstToken(ctx context.Context, o installation.Outputs, name string, another bool) (string, error) {
	tokens := i.Tokens(o)
	if !another {
		there, err := tokens.List(ctx)
		if err != nil {
			return "", i.explainError(err, "list the tokens of "+i.Name)
		}
		if slices.ContainsFunc(there, func(t anchor.Token) bool { return t.Scope == anchor.ScopeAdmin && t.RevokedAt == 0 }) {
			return "", nil
		}
	}
	secret, _, err := tokens.Create(ctx, name, anchor.ScopeAdmin)
	return secret, i.explainError(err, "make a token of "+i.Name)
}
