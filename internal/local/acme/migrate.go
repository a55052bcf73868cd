package acme

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// legacyFolder is where earlier versions kept issued certificates, in certmagic's layout: a folder
// a name,
//
//	certificates/CA/NAME/NAME.crt            PEM chain
//	certificates/CA/NAME/NAME.key            PEM key
//	certificates/CA/NAME/NAME.key.previous   the key before, which fits when a renewal was interrupted
//	certificates/CA/NAME/NAME.json           certmagic's description
const legacyFolder = "certificates"

// migrateLegacy moves the certificates of all CAs from legacyFolder to one file per name. Accounts,
// orders, imported certificates and OCSP responses stay where they always were. It may be
// interrupted anywhere: a certificate is stored in its new place before the old one is removed, and
// the next start continues. A certificate that cannot be used stays, is logged with its name at
// each start, and is ordered again.
func migrateLegacy(dir string, log *slog.Logger) error {
	root := filepath.Join(dir, legacyFolder)
	cas, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("migrate the certificates of an earlier version: %w", err)
	}
	migrated := 0
	for _, ca := range cas {
		if !ca.IsDir() {
			continue
		}
		names, err := listHosts(filepath.Join(root, ca.Name()), "")
		if err != nil {
			return fmt.Errorf("migrate the certificates of an earlier version: %w", err)
		}
		for _, name := range names {
			site := legacySite{dir: dir, ca: ca.Name(), name: name}
			err := site.migrateSite()
			if errors.Is(err, errDamaged) {
				log.Warn("a certificate of an earlier version cannot be used; a new one is ordered. Remove the folder when you do not need it any more",
					"domain", name, "folder", site.folderPath(), "error", err)
				continue
			}
			if err != nil {
				return fmt.Errorf("migrate the certificate of %s: %w", name, err)
			}
			migrated++
		}
	}
	if migrated > 0 {
		log.Info("moved the certificates of an earlier version", "count", migrated, "from", root, "to", filepath.Join(dir, "issued"))
	}
	if !isEmpty(root) {
		return nil
	}
	if err := errors.Join(os.RemoveAll(root), atomicfile.SyncDir(dir)); err != nil {
		return fmt.Errorf("remove the empty folders of an earlier version: %w", err)
	}
	return nil
}

// legacySite is the certificate of a name in legacyFolder.
type legacySite struct{ dir, ca, name string }

// folderPath returns the folder of the site. Its parts left room for ".previous" below longestPart.
func (s legacySite) folderPath() string {
	return filepath.Join(s.dir, legacyFolder, s.ca, filepath.FromSlash(foldName(s.flatName(), s.partLimit())))
}

func (s legacySite) filePath(ext string) string {
	return filepath.Join(s.folderPath(), filepath.FromSlash(foldName(s.flatName()+ext, s.partLimit())))
}

func (s legacySite) flatName() string { return strings.Replace(s.name, "*", "wildcard_", 1) }
func (s legacySite) partLimit() int   { return longestPart - len(".previous") }

// migrateSite stores the certificate in the new place, unless a newer one is there, and removes the old
// files.
func (s legacySite) migrateSite() error {
	if isEmpty(s.folderPath()) {
		return s.removeFiles()
	}
	to := issuedCerts(s.dir, s.ca)
	stored, err := to.readCert(s.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDamaged) {
		return err
	}
	chain, leaf, err := s.readChain()
	if err != nil {
		return err
	}
	// An interrupted migration removes the certificate last.
	if stored != nil && leaf.Equal(stored.Leaf) {
		return s.removeFiles()
	}
	key, err := s.readKey(chain)
	if err != nil {
		return err
	}
	// After a downgrade and a second upgrade either may be the newer one.
	if stored == nil || stored.Leaf.NotAfter.Before(leaf.NotAfter) {
		if err := to.writeCert(s.name, chain, key); err != nil {
			return err
		}
	}
	return s.removeFiles()
}

// readChain returns the PEM chain and its leaf.
func (s legacySite) readChain() ([]byte, *x509.Certificate, error) {
	chain, err := os.ReadFile(s.filePath(".crt"))
	if err != nil {
		return nil, nil, markUnusable(err)
	}
	leaf, err := leafOf(chain)
	if err != nil {
		return nil, nil, markUnusable(err)
	}
	return chain, leaf, nil
}

// markUnusable marks an error of one site. It does not keep other sites from being migrated.
func markUnusable(err error) error { return fmt.Errorf("%w: %w", errDamaged, err) }

// readKey returns the key that fits the chain.
func (s legacySite) readKey(chain []byte) ([]byte, error) {
	var misfit error
	for _, path := range []string{s.filePath(".key"), s.filePath(".key") + ".previous"} {
		key, err := os.ReadFile(path)
		if err == nil {
			_, err = parsePair(s.name, chain, key)
		}
		if err == nil {
			return key, nil
		}
		misfit = errors.Join(misfit, err)
	}
	return nil, markUnusable(misfit)
}

// removeFiles removes the files of the site, the certificate last, so that the remains of an interrupted
// remove can be told from damage.
func (s legacySite) removeFiles() error {
	for _, path := range []string{s.filePath(".key") + ".previous", s.filePath(".json"), s.filePath(".key")} {
		if err := removeFile(path); err != nil {
			return err
		}
	}
	return os.RemoveAll(s.folderPath())
}

// isEmpty reports whether dir is a folder without files, at any depth.
func isEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return !e.IsDir() || !isEmpty(filepath.Join(dir, e.Name()))
	})
}
