package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/keylock"
)

// The folders of a store. A content is in incoming until Sync has made it durable, and in blobs
// from then on, so that a file that a power cut left incomplete is never taken for a content.
const (
	incomingDir  = "incoming"  // emptied by Open
	blobsDir     = "blobs"     // blobs/ab/abcd…, and abcd….x for the executable twin
	manifestsDir = "manifests" // manifests/<id>.json
	treesDir     = "trees"     // trees/<id>/, and trees/<id>.done once it is complete
	trashDir     = "trash"     // trash/<id>.<unique>/tree and manifest.json, until EmptyTrash
	asideDir     = "set-aside" // set-aside/<id>.<unique>/, which Anchor never removes
)

// Store keeps the contents, manifests and trees of artifacts in one folder. Its methods may be
// called concurrently.
//
// Paths from a manifest are only opened through root, which no link leads out of. Contents are
// named by their digests, in folders that no other user may enter. For them a plain path is
// safe, and saves opening every folder on the way for thousands of files.
type Store struct {
	Limits Limits // what SaveManifest lets in; set before the first use

	// MaxUnowned bounds the bytes that Put takes before a Sync or Unpack needs them, together
	// with those that Disown counts; 0 bounds nothing. Set before the first use.
	MaxUnowned int64

	unowned unowned
	lanes   lanes

	dir  string
	root *os.Root
	busy keylock.Locks[string] // one Unpack or Remove at a time for each id

	// mu orders Collect's removals after the saves of manifests and contents
	// that began before them: savers hold it for reading.
	mu       sync.RWMutex
	dropping sync.Mutex // held while a damaged content is looked at and removed
	settling sync.Mutex // held while contents move from incoming to blobs
	unsynced bool       // blobs may have names that are not durable yet
	folds    bool       // the disk takes names that differ in case or Unicode form for one

	// named collects what manifests saved during a Collect name; nil when none runs.
	named *names
}

// Open makes the folder if needed, and forgets uploads that were not finished when the store
// was last in use; their files are missing again.
func Open(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, diskError(err, "make the artifact folder %s", abs)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, diskError(err, "open the artifact folder %s", abs)
	}
	s := &Store{Limits: DefaultLimits, dir: abs, root: root, unsynced: true}
	if err := s.prepareFolders(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

func (s *Store) prepareFolders() error {
	if err := s.root.RemoveAll(incomingDir); err != nil {
		return diskError(err, "empty %s", s.joinPath(incomingDir))
	}
	// Workers run as other users and must reach their own trees; only the owner may list
	// everything else.
	for _, folder := range []struct {
		name string
		mode os.FileMode
	}{{".", passedFolder}, {treesDir, passedFolder}, {incomingDir, privateFolder}, {blobsDir, privateFolder}, {manifestsDir, privateFolder}, {trashDir, privateFolder}} {
		if err := s.makeFolder(folder.name, folder.mode); err != nil {
			return err
		}
	}
	for _, name := range []string{incomingDir, treesDir} {
		folder, err := s.root.Open(name)
		if err != nil {
			return diskError(err, "open %s", s.joinPath(name))
		}
		spreadFolders(folder)
		folder.Close()
	}
	var err error
	if s.folds, err = s.findFolds(); err != nil {
		return err
	}
	return s.closeTrees()
}

// findFolds tries whether the disk takes names that differ in case, or in Unicode form, for
// one, as that of a Mac does.
func (s *Store) findFolds() (bool, error) {
	for _, names := range [][2]string{{"case", "CASE"}, {"form-\u00e9", "form-e\u0301"}} {
		written, other := incomingDir+"/"+names[0]+tempSuffix, incomingDir+"/"+names[1]+tempSuffix
		if err := s.root.WriteFile(written, nil, 0o600); err != nil {
			return false, diskError(err, "try names in %s", s.joinPath(incomingDir))
		}
		_, err := s.root.Lstat(other)
		if err := s.giveUp(nil, written); err != nil {
			return false, err
		}
		if err == nil {
			return true, nil
		}
	}
	return false, nil
}

// Close closes the folder.
func (s *Store) Close() error { return s.root.Close() }

// Tree returns the path of the folder that Unpack lays the artifact out in.
func (s *Store) Tree(id anchor.DeploymentID) string { return s.joinPath(treePath(id)) }

// SaveManifest binds m to id for good. The same manifest again is not an error, another one is
// a Conflict. It checks m against the store's limits, and is durable on return.
func (s *Store) SaveManifest(ctx context.Context, id anchor.DeploymentID, m Manifest) error {
	if err := CheckID(id); err != nil {
		return err
	}
	if err := s.checkLimits(m); err != nil {
		return err
	}
	defer s.busy.Lock(string(id))()
	s.mu.RLock()
	defer s.mu.RUnlock()
	before, err := s.Manifest(ctx, id)
	if err == nil {
		if before.Digest() == m.Digest() {
			return s.syncFolder(manifestsDir) // the first try may have failed at this
		}
		return anchor.Conflict("manifest_exists", "the deployment %s already has another manifest", id).
			Hintf("Start a new deployment for other files.")
	}
	if anchor.KindOf(err) != anchor.KindNotFound {
		return err
	}
	s.named.add(m)
	return s.writeFile(manifestPath(id), m.Encode())
}

func (s *Store) checkLimits(m Manifest) error {
	if err := m.Check(s.Limits); err != nil || !s.folds {
		return err
	}
	return m.checkFolded()
}

// Manifest returns the manifest that SaveManifest bound to id, or ErrNotFound.
func (s *Store) Manifest(_ context.Context, id anchor.DeploymentID) (Manifest, error) {
	if err := CheckID(id); err != nil {
		return Manifest{}, err
	}
	data, err := s.root.ReadFile(manifestPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, anchor.NotFound("no_manifest", "the deployment %s has no manifest", id).
			Hintf("Send the manifest before the files.")
	}
	if err != nil {
		return Manifest{}, diskError(err, "read the manifest of %s", id)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, anchor.Failed("manifest_damaged", "the manifest of %s cannot be read", id).
			Because(err).Hintf("Check the disk that holds %s, and deploy again.", s.joinPath(manifestsDir))
	}
	return m, nil
}

// Missing returns the digests of the deployment's files whose contents are missing, sorted by
// the path of the first file that needs them.
func (s *Store) Missing(ctx context.Context, id anchor.DeploymentID) ([]Digest, error) {
	m, err := s.Manifest(ctx, id)
	if err != nil {
		return nil, err
	}
	var missing []Digest
	seen := map[Digest]bool{}
	for _, f := range m.Files {
		if f.Link != "" || seen[f.Digest] {
			continue
		}
		seen[f.Digest] = true
		if where, err := s.findContent(f.Digest, f.Size); err != nil {
			return nil, err
		} else if where == "" {
			missing = append(missing, f.Digest)
		}
	}
	return missing, ctx.Err()
}

// findContent returns the path of a content, "" when it is missing. A size other than the content's is
// an Invalid error: a manifest or a request is wrong. A stored content that the disk damaged
// counts as missing, so that the client sends it again.
func (s *Store) findContent(d Digest, size int64) (string, error) {
	// Blobs twice: a Sync may move the content there between the first two checks.
	for _, name := range []string{blobPath(d), incomingPath(d), blobPath(d)} {
		info, err := os.Lstat(s.joinPath(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return "", diskError(err, "look for the content %s", d)
		case info.Size() != size:
			if whole, err := s.dropIfDamaged(name, d); err != nil {
				return "", err
			} else if whole {
				return "", anchor.Invalid("wrong_size", "the content %s has %d bytes, not %d", d, info.Size(), size).
					Hintf("Create the manifest again while no other program writes to the folder.")
			}
		default:
			return name, nil
		}
	}
	return "", nil
}

// dropIfDamaged removes a stored content whose digest is another, and reports whether
// it is whole. Trees that hold the damaged file keep it.
func (s *Store) dropIfDamaged(name string, d Digest) (whole bool, err error) {
	s.dropping.Lock() // or a content sent in place of the damaged one could go
	defer s.dropping.Unlock()
	whole, err = s.hasDigest(name, d)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || whole {
		return whole, err
	}
	for _, damaged := range []string{name, name + twinSuffix} {
		if err := os.Remove(s.joinPath(damaged)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, diskError(err, "remove the damaged content %s", d)
		}
	}
	return false, nil
}

// CheckID returns an error for a string that is not a deployment id.
func CheckID(id anchor.DeploymentID) error {
	if anchor.ValidID(string(id)) {
		return nil
	}
	return anchor.Invalid("bad_deployment_id", "%q is not a deployment id", cutText(string(id), 64)).
		Hintf("An ID is a lowercase ULID of 26 characters, as returned by the API.")
}

func (s *Store) joinPath(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// twinSuffix ends the name of a content's copy that may be executed.
const twinSuffix = ".x"

func blobPath(d Digest) string                   { return blobsDir + "/" + string(d[:2]) + "/" + string(d) }
func incomingPath(d Digest) string               { return incomingDir + "/" + string(d) }
func manifestPath(id anchor.DeploymentID) string { return manifestsDir + "/" + string(id) + ".json" }
func treePath(id anchor.DeploymentID) string     { return treesDir + "/" + string(id) }
func donePath(id anchor.DeploymentID) string     { return treePath(id) + ".done" }
