package nodejs

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/Masterminds/semver/v3"

	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// Store holds installed runtimes in Dir, each in a folder named after its version: <dir>/24.11.1/bin/node.
type Store struct {
	Dir      string
	Registry *Registry

	installing sync.Mutex // one download at a time: a second one mostly wants the same version
}

// Find returns the newest installed runtime that range allows. It reads only names of folders:
// Install makes a folder when the runtime in it has answered.
func (s *Store) Find(r Range) (worker.Node, bool) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return worker.Node{}, false
	}
	var found []*semver.Version
	for _, e := range entries {
		v, err := semver.StrictNewVersion(e.Name())
		if err != nil || !r.Allows(v) {
			continue
		}
		if _, err := os.Stat(s.programPath(v)); err == nil {
			found = append(found, v)
		}
	}
	if len(found) == 0 {
		return worker.Node{}, false
	}
	newest := slices.MaxFunc(found, (*semver.Version).Compare)
	return worker.Node{Path: s.programPath(newest), Version: newest.String()}, true
}

// Install returns the newest installed runtime that range allows, or downloads the newest one that
// the registry has. The folder of a version appears when the program in it is complete, verified
// and has started; an installation that is interrupted leaves nothing that Find returns.
func (s *Store) Install(ctx context.Context, r Range) (worker.Node, error) {
	s.installing.Lock()
	defer s.installing.Unlock()
	if node, ok := s.Find(r); ok {
		return node, nil
	}
	release, err := s.Registry.Newest(ctx, r)
	if err != nil {
		return worker.Node{}, err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return worker.Node{}, err
	}
	// Not below the system's folder for temporary files: the rename must stay on one disk.
	tmp, err := os.MkdirTemp(s.Dir, ".download-")
	if err != nil {
		return worker.Node{}, err
	}
	defer os.RemoveAll(tmp)
	if err := s.fill(ctx, tmp, release); err != nil {
		return worker.Node{}, err
	}
	if err := os.Rename(tmp, filepath.Dir(filepath.Dir(s.programPath(release.Version)))); err != nil {
		return worker.Node{}, err
	}
	return worker.Node{Path: s.programPath(release.Version), Version: release.Version.String()}, nil
}

// fill downloads a release to dir and starts it once.
func (s *Store) fill(ctx context.Context, dir string, release Release) error {
	program := filepath.Join(dir, "bin", programName)
	if err := s.Registry.Download(ctx, release, program); err != nil {
		return err
	}
	// Workers run as users of their own.
	for _, path := range []string{dir, filepath.Dir(program), program} {
		if err := os.Chmod(path, 0o755); err != nil {
			return err
		}
	}
	_, err := worker.FindNode(ctx, program)
	return err
}

func (s *Store) programPath(v *semver.Version) string {
	return filepath.Join(s.Dir, v.String(), "bin", programName)
}

const programName = "node"

// removeInterrupted removes what interrupted installations left.
func (s *Store) removeInterrupted() error {
	left, err := filepath.Glob(filepath.Join(s.Dir, ".download-*"))
	if err != nil {
		return err
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
