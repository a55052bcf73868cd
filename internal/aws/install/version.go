package install

import (
	"golang.org/x/mod/semver"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// checkUpgradable refuses to replace a newer version with an older one: the newer one's records may
// have fields that the older does not know. Builds without a version ("dev", "dev-1a2b3c4") have
// no order and are accepted.
func (i *Installation) checkUpgradable(installed string, allow bool) error {
	if allow || !semver.IsValid(installed) || !semver.IsValid(i.Version) || semver.Compare(installed, i.Version) <= 0 {
		return nil
	}
	return anchor.Conflict("older_version", "the installation %s is of anchor %s, and this is %s, which is older", i.Name, installed, i.Version).
		Hintf("Use anchor %s or newer. To downgrade deliberately, add --allow-downgrade.", installed)
}
