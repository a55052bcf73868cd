package awswire

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// Key is a pair of AWS credentials. Any client with the ID may read and write the namespace it was
// issued for; the secret exists because SDKs require one.
type Key struct {
	ID, Secret string
}

// Credentials are the keys of the namespaces that are in use. They live in memory: workers do not
// outlive the process, and a restart creates new ones.
type Credentials struct {
	mu    sync.RWMutex
	keys  map[string]Key
	owner map[[sha256.Size]byte]string // by digest, so that a lookup's timing reveals nothing about the ids
}

// NewCredentials returns an empty set.
func NewCredentials() *Credentials {
	return &Credentials{keys: map[string]Key{}, owner: map[[sha256.Size]byte]string{}}
}

// Issue returns the key of a namespace, which it generates at random the first time.
func (c *Credentials) Issue(ns string) Key {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.keys[ns]
	if !ok {
		k = Key{ID: "ANCHOR" + rand.Text(), Secret: rand.Text()}
		c.keys[ns], c.owner[sha256.Sum256([]byte(k.ID))] = k, ns
	}
	return k
}

// Revoke invalidates the key of a namespace.
func (c *Credentials) Revoke(ns string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.owner, sha256.Sum256([]byte(c.keys[ns].ID)))
	delete(c.keys, ns)
}

// Namespace returns the namespace of a key id. It is an Auth.
func (c *Credentials) Namespace(accessKeyID string) (ns string, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	ns, ok = c.owner[sha256.Sum256([]byte(accessKeyID))]
	return ns, ok
}
