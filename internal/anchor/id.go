package anchor

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// Ids are lower-case ULIDs (26 characters of Crockford base32). They carry the time of a clock
// that can be set back, so they do not order anything: Deployment.Order does.
type (
	// ProjectID names a project.
	ProjectID string
	// DeploymentID names a deployment.
	DeploymentID string
	// ReleaseID names a release.
	ReleaseID string
)

var entropy = struct {
	sync.Mutex
	*ulid.MonotonicEntropy
	last uint64 // milliseconds of the id made last
}{MonotonicEntropy: ulid.Monotonic(rand.Reader, 0)}

// NewID returns a lower-case ULID greater than every one this process made before.
func NewID() string {
	entropy.Lock()
	defer entropy.Unlock()
	return newID(ulid.Timestamp(time.Now()))
}

// newID makes an id of the time in Unix milliseconds, or of the last one's when that is
// later. entropy is locked.
func newID(ms uint64) string {
	entropy.last = max(entropy.last, ms)
	id := ulid.MustNew(entropy.last, entropy.MonotonicEntropy)
	return strings.ToLower(id.String())
}

// ValidID reports whether s has the form of NewID's ids. It keeps foreign text out of file
// names and host names before anything is looked up by it.
func ValidID(s string) bool {
	if s != strings.ToLower(s) {
		return false
	}
	_, err := ulid.ParseStrict(s)
	return err == nil
}

// TimeOf returns when an id was made, to the millisecond.
func TimeOf(id string) (time.Time, error) {
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of id %q: %w", id, err)
	}
	return ulid.Time(u.Time()), nil
}
