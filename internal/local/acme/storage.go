package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/caddyserver/certmagic"

	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// storage is certmagic's file storage with three changes. What it stores survives a power cut: certmagic does not sync
// the folder. Its locks live in memory: the data folder belongs to one process, and a lock file that a killed process
// left would hold up the next order until it is stale. And the longest host names have files, see fold.
type storage struct {
	*certmagic.FileStorage

	mu    sync.Mutex
	locks map[string]chan struct{} // closed when released
}

func newStorage(dir string) *storage {
	return &storage{FileStorage: &certmagic.FileStorage{Path: dir}, locks: map[string]chan struct{}{}}
}

// Store implements certmagic.Storage. Certmagic writes a new key before its certificate; until that is there too the
// key before it stays beside it, for a process that ends in between.
func (s *storage) Store(_ context.Context, key string, value []byte) error {
	path := s.Filename(key)
	if strings.HasSuffix(key, keyFile) {
		if err := os.Rename(path, path+previous); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("keep the key before: %w", err)
		}
	}
	return writeFile(path, value)
}

// Filename is where the value of a key lies.
func (s *storage) Filename(key string) string { return s.FileStorage.Filename(foldKey(key)) }

// Load implements certmagic.Storage.
func (s *storage) Load(ctx context.Context, key string) ([]byte, error) {
	return s.FileStorage.Load(ctx, foldKey(key))
}

// Exists implements certmagic.Storage.
func (s *storage) Exists(ctx context.Context, key string) bool {
	return s.FileStorage.Exists(ctx, foldKey(key))
}

// Stat implements certmagic.Storage.
func (s *storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	return s.FileStorage.Stat(ctx, foldKey(key))
}

// Delete implements certmagic.Storage.
func (s *storage) Delete(ctx context.Context, key string) error {
	return s.FileStorage.Delete(ctx, foldKey(key))
}

const (
	keyFile  = ".key"
	previous = ".previous"
)

// pair checks a stored certificate against its key, takes the previous key if that is the one that fits, and gives the
// leaf. It makes whole what a process that ended between certmagic's writes left without its last file, without which
// certmagic reads none of them.
func (s *storage) pair(issuer, name string) (*x509.Certificate, error) {
	chain, err := os.ReadFile(s.Filename(certmagic.StorageKeys.SiteCert(issuer, name)))
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	path := s.Filename(certmagic.StorageKeys.SitePrivateKey(issuer, name))
	if _, err = tls.LoadX509KeyPair(s.Filename(certmagic.StorageKeys.SiteCert(issuer, name)), path); err != nil {
		before, missing := os.ReadFile(path + previous)
		if _, unfit := tls.X509KeyPair(chain, before); missing != nil || unfit != nil {
			return nil, fmt.Errorf("use the certificate: %w", err)
		}
		if err := writeFile(path, before); err != nil {
			return nil, err
		}
	}
	if err := s.describe(issuer, name); err != nil {
		return nil, err
	}
	return leafOf(chain)
}

// describe writes the file that certmagic keeps beside a certificate, unless it is there.
func (s *storage) describe(issuer, name string) error {
	path := s.Filename(certmagic.StorageKeys.SiteMeta(issuer, name))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := json.MarshalIndent(certmagic.CertificateResource{SANs: []string{name}}, "", "\t")
	if err != nil {
		return fmt.Errorf("describe the certificate: %w", err)
	}
	return writeFile(path, data)
}

// Lock implements certmagic.Locker.
func (s *storage) Lock(ctx context.Context, name string) error {
	for {
		s.mu.Lock()
		held, taken := s.locks[name]
		if !taken {
			s.locks[name] = make(chan struct{})
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Unlock implements certmagic.Locker.
func (s *storage) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held, ok := s.locks[name]; ok {
		delete(s.locks, name)
		close(held)
	}
	return nil
}

// names lists the names that have a certificate of the issuer.
func (s *storage) names(issuer string) ([]string, error) {
	return hosts(s.Filename(certmagic.StorageKeys.CertsPrefix(issuer)), "")
}

// writeFile writes a private file durably, in a folder that is made when it is missing.
func writeFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", filepath.Base(path), err)
	}
	if err := atomicfile.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(dir))
}

// removeFile removes a file that may be gone already.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
