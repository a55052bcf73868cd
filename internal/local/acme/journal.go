package acme

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// journal is what a name's order under way needs to continue after a restart. It is stored before
// the CA hears of the order and removed once the certificate is stored.
type journal struct {
	Name string `json:"name"`
	// Key is the PEM key of the future certificate. An order that was finalized with it returns a
	// certificate for it.
	Key string `json:"key,omitempty"`
	// CA is the directory URL of Order.
	CA    string `json:"ca,omitempty"`
	Order string `json:"order,omitempty"`
	// Failed are the challenge types that the CA rejected in the current run of attempts.
	Failed []string `json:"failedChallenges,omitempty"`

	Failures int       `json:"failures,omitempty"`
	RetryAt  time.Time `json:"retryAt,omitzero"`
	Problem  string    `json:"problem,omitempty"`

	path string
}

// openJournal reads the name's journal, or returns an empty one when it does not exist.
func openJournal(dir, name string) (*journal, error) {
	j := &journal{Name: name, path: journalPath(dir, name)}
	data, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the order of %s: %w", name, err)
	}
	if err := json.Unmarshal(data, j); err != nil {
		return nil, fmt.Errorf("the order file %s is damaged; remove it, and Anchor orders the certificate again: %w", j.path, err)
	}
	j.Name = name
	return j, nil
}

func journalPath(dir, name string) string {
	return filepath.Join(dir, "orders", fileName(name, ".json"))
}

func (j *journal) saveFile() error {
	data, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return fmt.Errorf("write down the order of %s: %w", j.Name, err)
	}
	return writeFile(j.path, data)
}

func (j *journal) removeFile() error {
	if err := removeFile(j.path); err != nil {
		return fmt.Errorf("remove the finished order of %s: %w", j.Name, err)
	}
	return nil
}

// privateKey returns the key of the order under way, or a new one that is stored before it is used.
func (j *journal) privateKey() (crypto.Signer, error) {
	if j.Key != "" {
		key, err := parseKey([]byte(j.Key))
		if err != nil {
			return nil, fmt.Errorf("the key in the order file %s is damaged; remove the file to order the certificate again: %w", j.path, err)
		}
		return key, nil
	}
	key, encoded, err := newKey()
	if err != nil {
		return nil, fmt.Errorf("order a certificate for %s: %w", j.Name, err)
	}
	j.Key = string(encoded)
	return key, j.saveFile()
}

// forgetOrder drops the order, which failed, and keeps the key.
func (j *journal) forgetOrder() error {
	j.Order, j.CA = "", ""
	return j.saveFile()
}
