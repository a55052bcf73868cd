package sqlite_test

import (
	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/hostname"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/release"
	"github.com/anchor-deploy/anchor/internal/store/sqlite"
)

// What the use-cases ask for is what the store gives.
var (
	_ access.Tokens      = (*sqlite.Store)(nil)
	_ hostname.Directory = (*sqlite.Store)(nil)
	_ hostname.Records   = (*sqlite.Store)(nil)
	_ project.Records    = (*sqlite.Store)(nil)
	_ project.Variables  = (*sqlite.Store)(nil)
	_ release.Pointer    = (*sqlite.Store)(nil)
	_ release.Records    = (*sqlite.Store)(nil)
)
