package sqlite_test

import (
	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/release"
)

// The Store implements the ports of the use-cases.
var (
	_ access.Tokens     = (*sqlite.Store)(nil)
	_ access.Uses       = (*sqlite.Store)(nil)
	_ access.People     = (*sqlite.Store)(nil)
	_ access.Audit      = (*sqlite.Store)(nil)
	_ domains.Directory = (*sqlite.Store)(nil)
	_ domains.Records   = (*sqlite.Store)(nil)
	_ project.Records   = (*sqlite.Store)(nil)
	_ project.Variables = (*sqlite.Store)(nil)
	_ release.Pointer   = (*sqlite.Store)(nil)
	_ release.Records   = (*sqlite.Store)(nil)
)
