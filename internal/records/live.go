package records

import "github.com/anchor-deploy/anchor/internal/anchor"

// LiveAfter returns the pointer as the release leaves it.
func LiveAfter(r anchor.Release) anchor.Live {
	return anchor.Live{
		ProjectID:  r.ProjectID,
		Deployment: r.Deployment,
		Record:     r.Record,
		Version:    r.Version,
		Release:    r.ID,
		Order:      r.Order,
		Revision:   r.Revision,
	}
}
