package codebuild

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// proof returns what the build of a deployment shows to report on it. All builds have the same role,
// so without it the scripts of one project could end or replace the build of another. It is derived
// from the installation's key and therefore stored nowhere.
func (b Builder) proof(p anchor.ProjectID, d anchor.DeploymentID) string {
	return b.sign("build", string(p), string(d))
}

// sign returns a name that only the installation's key yields.
func (b Builder) sign(parts ...string) string {
	mac := hmac.New(sha256.New, b.Key)
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Proves reports whether proof was given to the build of the deployment.
func (b Builder) Proves(p anchor.ProjectID, d anchor.DeploymentID, proof string) bool {
	return hmac.Equal([]byte(b.proof(p, d)), []byte(proof))
}
