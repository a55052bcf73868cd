package dynamo_test

import (
	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/release"
)

// The store implements the ports of the use-cases.
var (
	_ access.Tokens     = (*dynamo.Store)(nil)
	_ domains.Directory = (*dynamo.Store)(nil)
	_ domains.Records   = (*dynamo.Store)(nil)
	_ project.Records   = (*dynamo.Store)(nil)
	_ project.Variables = (*dynamo.Store)(nil)
	_ release.Pointer   = (*dynamo.Store)(nil)
	_ release.Records   = (*dynamo.Store)(nil)
)
