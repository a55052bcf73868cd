package discovery

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Remote is an installation elsewhere that this user may administer.
type Remote struct {
	URL          string `json:"url"` // of its API
	Token        string `json:"token"`
	Installation string `json:"installation"`
	Account      string `json:"account"`
	Region       string `json:"region"`
}

// filePath returns the path of the remote's file. It is in the user's configuration folder, as its
// content cannot be recreated.
func (r Remote) filePath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the token: %w", err)
	}
	return filepath.Join(dir, "anchor", "aws-"+r.Installation+"-"+r.Account+"-"+r.Region+".json"), nil
}

// Keep writes r to a file of mode 0600 and returns its name.
func (r Remote) Keep() (string, error) {
	name, err := r.filePath()
	if err != nil {
		return "", err
	}
	if err := writePrivate(name, r); err != nil {
		return "", fmt.Errorf("store the token: %w", err)
	}
	return name, nil
}

// Forget removes the file that Keep wrote, if it exists.
func (r Remote) Forget() error {
	name, err := r.filePath()
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove the token: %w", err)
	}
	return nil
}

// Kept returns the name of the file of r's installation and whether it holds a token for r's URL.
func (r Remote) Kept() (name string, ok bool) {
	name, err := r.filePath()
	if err != nil {
		return "", false
	}
	kept, err := readPrivate[Remote](name)
	return name, err == nil && sameURL(kept.URL, r.URL) && kept.Token != ""
}

// FindRemote returns the remote of the API at url. It ignores a file that others could read: its
// token is not secret.
func FindRemote(url string) (Remote, bool) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return Remote{}, false
	}
	names, err := fs.Glob(os.DirFS(dir), "anchor/aws-*.json")
	if err != nil {
		return Remote{}, false
	}
	for _, name := range names {
		if r, err := readPrivate[Remote](filepath.Join(dir, name)); err == nil && sameURL(r.URL, url) {
			return r, true
		}
	}
	return Remote{}, false
}

func sameURL(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }
