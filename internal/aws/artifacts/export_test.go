package artifacts

import "github.com/anchor-deploy/anchor/internal/artifact"

// ReadArchive lets tests read archives without S3.
var ReadArchive = (*Store).readArchive

// Scratch returns the store of contents on the local disk.
func (s *Store) Scratch() *artifact.Store { return s.scratch }
