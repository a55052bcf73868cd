package artifacts

import "github.com/anchor-deploy/anchor/internal/artifact"

// ReadArchive lets tests feed archives without an S3 between.
var ReadArchive = (*Store).readArchive

// Scratch is where contents are kept on the local disk.
func (s *Store) Scratch() *artifact.Store { return s.scratch }
