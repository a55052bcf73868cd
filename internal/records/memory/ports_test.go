package memory_test

import (
	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/records/memory"
	"github.com/anchor-deploy/anchor/internal/release"
)

// The store implements the ports of all use-cases.
var (
	_ access.Tokens     = (*memory.Store)(nil)
	_ access.Uses       = (*memory.Store)(nil)
	_ access.People     = (*memory.Store)(nil)
	_ access.Audit      = (*memory.Store)(nil)
	_ domains.Directory = (*memory.Store)(nil)
	_ domains.Records   = (*memory.Store)(nil)
	_ project.Records   = (*memory.Store)(nil)
	_ project.Variables = (*memory.Store)(nil)
	_ release.Pointer   = (*memory.Store)(nil)
	_ release.Records   = (*memory.Store)(nil)
)
