package artifact

import (
	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Delta is a manifest described by its difference from that of another deployment.
type Delta struct {
	Base    anchor.DeploymentID `json:"base" maxLength:"64" doc:"The deployment whose manifest this one differs from"`
	Changed []File              `json:"changed,omitempty" nullable:"false" doc:"Files that the base has not, or not so"`
	Removed []string            `json:"removed,omitempty" nullable:"false" doc:"Paths that only the base has"`
	Digest  Digest              `json:"digest" doc:"SHA-256 of the whole manifest's JSON, sorted by path"`
}

// Since returns the difference that turns the manifest of base into m.
func (m Manifest) Since(base anchor.DeploymentID, before Manifest) Delta {
	d := Delta{Base: base, Digest: m.Digest()}
	gone := make(map[string]File, len(before.Files))
	for _, f := range before.Files {
		gone[f.Path] = f
	}
	for _, f := range m.Sorted().Files {
		if was, there := gone[f.Path]; !there || was != f {
			d.Changed = append(d.Changed, f)
		}
		delete(gone, f.Path)
	}
	for _, f := range before.Files {
		if _, removed := gone[f.Path]; removed {
			d.Removed = append(d.Removed, f.Path)
		}
	}
	return d
}

// Apply returns the manifest that d describes, and checks its digest. It returns a Conflict
// when d was made from another manifest than before.
func (d Delta) Apply(before Manifest) (Manifest, error) {
	left := make(map[string]bool, len(d.Changed)+len(d.Removed))
	for _, f := range d.Changed {
		left[f.Path] = true
	}
	for _, path := range d.Removed {
		left[path] = true
	}
	m := Manifest{Files: make([]File, 0, len(before.Files)+len(d.Changed))}
	for _, f := range before.Files {
		if !left[f.Path] {
			m.Files = append(m.Files, f)
		}
	}
	m.Files = append(m.Files, d.Changed...)
	m = m.Sorted()
	if m.Digest() != d.Digest {
		return Manifest{}, d.NoBase(nil)
	}
	return m, nil
}

// NoBase is the Conflict that makes a client send its whole manifest.
func (d Delta) NoBase(cause error) error {
	return anchor.Conflict("no_base", "the manifest cannot be built from that of deployment %q", cutText(string(d.Base), 64)).
		Because(cause).Hintf("Send the whole manifest.")
}
