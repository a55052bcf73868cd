package aws

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const keySize = 32

// Generations reports which of a project's origin secrets are in use. A function version keeps
// the secret that it was published with forever, and CloudFront sends all of them; docs/aws.md
// describes how to rotate. The zero value means the first secret.
type Generations struct {
	Newest int // new versions are published with it
	Oldest int // the last one that CloudFront still sends; older versions are unreachable
}

func (g Generations) fill() Generations {
	return Generations{Newest: max(g.Newest, 1), Oldest: max(g.Oldest, 1)}
}

func (g Generations) check() error {
	if full := g.fill(); g.Newest < 0 || g.Oldest < 0 || full.Oldest > full.Newest {
		return fmt.Errorf("origin secrets %d to %d: the oldest comes after the newest", full.Oldest, full.Newest)
	}
	return nil
}

// originSecret returns the secret that proves to a project's functions that a request came
// through its distribution. It is derived from the installation's key and therefore stored
// nowhere.
func originSecret(key []byte, p anchor.ProjectID, generation int) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("origin-secret\x00" + string(p) + "\x00" + strconv.Itoa(generation)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// secret returns the secret of the project's new function versions.
func (p *Platform) secret(id anchor.ProjectID) string {
	return originSecret(p.Key, id, p.Secrets.fill().Newest)
}

// secrets returns the secrets that the project's distribution sends, newest first.
func (p *Platform) secrets(project anchor.Project) []string {
	g := p.Secrets.fill()
	var all []string
	for n := g.Newest; n >= g.Oldest; n-- {
		all = append(all, originSecret(p.Key, project.ID, n))
	}
	return all
}
