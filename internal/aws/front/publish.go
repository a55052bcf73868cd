package front

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Publish writes the deployment's routes, and hosts (those of its own aliases, by function), into
// the store. From then on the deployment answers under its own URL.
func (f *Front) Publish(ctx context.Context, a deploy.Artifact, hosts map[string]string) error {
	r, err := makeRecord(a.Build, hosts)
	if err != nil {
		return err
	}
	r.Project = a.Project.ID
	puts, err := splitValue(deploymentKey(a.Deployment.ID), r)
	if err != nil {
		return err
	}
	s, err := f.store(ctx, a.Project)
	if err != nil {
		return err
	}
	return f.changePointer(ctx, s, func(pointer) (edit, error) { return edit{puts: puts}, nil })
}

// Forget removes a deployment from the store. It succeeds when the deployment is not there, and
// refuses the live one with a Conflict.
func (f *Front) Forget(ctx context.Context, p anchor.Project, d anchor.DeploymentID) error {
	s, err := f.store(ctx, p)
	if anchor.CodeOf(err) == "no_distribution" {
		return nil
	}
	if err != nil {
		return err
	}
	return f.changePointer(ctx, s, func(live pointer) (edit, error) {
		if live.Deployment == d {
			return edit{}, anchor.Conflict("deployment_live", "the deployment %s is live on CloudFront", d).
				Hintf("Roll back or promote another deployment first.")
		}
		keys, _, err := f.readPieces(ctx, s, deploymentKey(d))
		return edit{deletes: keys}, err
	})
}

// readPieces returns the keys and the text of a record that was split; none when it does not exist.
func (f *Front) readPieces(ctx context.Context, s *store, key string) (keys []string, text string, err error) {
	first, found, err := f.get(ctx, s, partKey(key, 0))
	if err != nil || !found {
		return nil, "", err
	}
	_, text, _ = strings.Cut(first, ":")
	keys = []string{partKey(key, 0)}
	for i := 1; i < countParts(first); i++ {
		more, found, err := f.get(ctx, s, partKey(key, i))
		if err != nil {
			return nil, "", err
		}
		if found {
			keys, text = append(keys, partKey(key, i)), text+more
		}
	}
	return keys, text, nil
}

func (f *Front) readHosts(ctx context.Context, s *store) (map[string]string, error) {
	hosts := map[string]string{}
	keys, text, err := f.readPieces(ctx, s, hostsKey)
	if err != nil || keys == nil {
		return hosts, err
	}
	if err := json.Unmarshal([]byte(text), &hosts); err != nil {
		return nil, explainFailure(fmt.Errorf("its key %q holds %q: %w", hostsKey, text, err), "cloudfront-keyvaluestore:GetKey", s.name)
	}
	return hosts, nil
}
