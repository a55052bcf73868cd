package nodejs

import (
	"fmt"

	"github.com/Masterminds/semver/v3"
)

// Range is a set of versions as npm writes it (package.json's engines.node): "24", "22.x",
// ">=20 <23", "^20.9 || >=22". The zero value allows every version.
type Range struct {
	text string
	set  *semver.Constraints
}

// ParseRange reads a range.
func ParseRange(text string) (Range, error) {
	if text == "" {
		return Range{}, nil
	}
	set, err := semver.NewConstraint(text)
	if err != nil {
		return Range{}, fmt.Errorf("%q is not a range of versions: %w", text, err)
	}
	return Range{text: text, set: set}, nil
}

// Allows reports whether v is in the range. Prereleases never are.
func (r Range) Allows(v *semver.Version) bool {
	return v.Prerelease() == "" && (r.set == nil || r.set.Check(v))
}

// AllowsText is Allows for a version as text, without a v.
func (r Range) AllowsText(version string) bool {
	v, err := semver.NewVersion(version)
	return err == nil && r.Allows(v)
}

func (r Range) String() string {
	if r.text == "" {
		return "*"
	}
	return r.text
}
