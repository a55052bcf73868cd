package deploy

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// Inventory returns what a deployment of the project consists of, or NotFound when its manifest is not kept.
func (s *Service) Inventory(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (opennext.Inventory, error) {
	d, err := s.Get(ctx, p, id)
	if err != nil {
		return opennext.Inventory{}, err
	}
	m, err := s.Bundles.Manifest(ctx, d.Serves())
	if err != nil {
		return opennext.Inventory{}, err
	}
	return opennext.TakeInventory(func(yield func(opennext.Sized) bool) {
		for _, f := range m.Files {
			if !yield(opennext.Sized{Path: f.Path, Size: f.Size}) {
				return
			}
		}
	}), nil
}
