package install

import (
	"golang.org/x/mod/semver"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// upgradable refuses to put an older version over a newer one: its records may have
// fields the older does not know. Versions of builds without one ("dev", "dev-1a2b3c4")
// have no order and are let through.
func (i *Installation) upgradable(installed string, allow bool) error {
	if allow || !semver.IsValid(installed) || !semver.IsValid(i.Version) || semver.Compare(installed, i.Version) <= 0 {
		return nil
	}
	return anchor.Conflict("older_version", "the installation %s is of anchor %s, and this is %s, which is older", i.Name, installed, i.Version).
		Hintf("Use anchor %s or newer. If going back is what you want: --allow-downgrade.", installed)
}
