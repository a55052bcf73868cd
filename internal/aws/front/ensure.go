package front

import (
	"context"
	"maps"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Ensure creates the project's distribution, function and store, or updates them to this version
// of Anchor. live holds the hosts of the functions' URLs on the live alias, by function, and must
// include the server function. Ensure does not wait until CloudFront has the distribution
// everywhere, which takes minutes.
func (f *Front) Ensure(ctx context.Context, p anchor.Project, live map[string]string) (Site, error) {
	if live[anchor.ServerFunction] == "" {
		return Site{}, noHost(anchor.ServerFunction)
	}
	if f.originSecret(p) == "" {
		return Site{}, anchor.Failed("no_origin_secret", "the project %s has no origin secret", p.Slug).
			Hintf("Without a key, anyone could bypass CloudFront. Run anchor aws bootstrap to create the installation's key.")
	}
	common, err := f.ensureShared(ctx)
	if err != nil {
		return Site{}, err
	}
	s, err := f.ensureStore(ctx, p)
	if err != nil {
		return Site{}, err
	}
	function, err := f.ensureFunction(ctx, p, s.arn)
	if err != nil {
		return Site{}, err
	}
	site, err := f.ensureDistribution(ctx, p, s.knownDistribution(), f.wantedConfig(p, common, function, live))
	if err != nil {
		return Site{}, err
	}
	if err := f.noteDistribution(ctx, p, s, site.Distribution); err != nil {
		return Site{}, err
	}
	site.Store = s.arn
	return site, f.publishHosts(ctx, s, live)
}

// distributionOf returns the id that the store contains, or searches for the distribution.
func (f *Front) distributionOf(ctx context.Context, p anchor.Project, s *store) (string, error) {
	if f.Distribution != "" {
		return f.Distribution, nil
	}
	if id := s.knownDistribution(); id != "" {
		return id, nil
	}
	id, err := f.findDistribution(ctx, p)
	if err != nil {
		return "", explainFailure(err, "cloudfront:ListDistributions", f.resourceName(p))
	}
	if id == "" {
		return "", noDistribution(p, nil)
	}
	return id, nil
}

func noDistribution(p anchor.Project, err error) error {
	return anchor.Failed("no_distribution", "the project %s has no CloudFront distribution", p.Slug).Because(err).
		Hintf("Deploy to the project. Its first deployment creates the distribution.")
}

func (s *store) knownDistribution() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.distribution
}

// hostsKey is the key of the live alias' hosts for which the distribution has no origin.
const hostsKey = "hosts"

// publishHosts keeps the hosts of functions that no longer exist: until the switch, the live
// deployment may need them.
func (f *Front) publishHosts(ctx context.Context, s *store, live map[string]string) error {
	hosts, err := f.readHosts(ctx, s)
	if err != nil {
		return err
	}
	all := maps.Clone(hosts)
	for name, host := range live {
		if name != anchor.ServerFunction && name != anchor.ImageFunction {
			all[name] = host
		}
	}
	if maps.Equal(all, hosts) {
		return nil
	}
	puts, err := splitValue(hostsKey, all)
	if err != nil {
		return err
	}
	return f.changePointer(ctx, s, func(pointer) (edit, error) { return edit{puts: puts}, nil })
}
