package sites

import (
	"context"
	"net/netip"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
)

// oneYear is the shortest time that browsers' preload lists take (RFC 6797 §6.1.1
// names it in seconds).
const oneYear = "max-age=31536000"

// Attach implements domains.Front: from the next table on, the name leads to its project's live
// deployment over HTTPS.
func (p *Platform) Attach(_ context.Context, h anchor.Hostname) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.domains[h.Name] = h
	p.publish()
	return nil
}

// Detach implements domains.Front.
func (p *Platform) Detach(_ context.Context, h anchor.Hostname) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.domains[h.Name].ID == h.ID {
		delete(p.domains, h.Name)
		p.publish()
	}
	return nil
}

// Target implements domains.Front. It returns the addresses of this machine.
func (p *Platform) Target(_ context.Context, h anchor.Hostname) ([]anchor.DNSRecord, error) {
	records := make([]anchor.DNSRecord, 0, len(p.Addresses))
	for _, addr := range p.Addresses {
		records = append(records, anchor.DNSRecord{Name: h.Name, Type: recordType(addr), Value: addr.String()})
	}
	return records, nil
}

// Base implements domains.Front.
func (p *Platform) Base() string { return p.BaseDomain }

func recordType(addr netip.Addr) string {
	if addr.Is4() {
		return "A"
	}
	return "AAAA"
}

// attached adds the custom domains to a table under construction; p.mu is held. A name whose
// project has no live deployment yet has no site.
func (p *Platform) attached(hosts map[string]*edge.Site) map[string]edge.Policy {
	policies := make(map[string]edge.Policy, len(p.domains))
	for name, h := range p.domains {
		policy := edge.Policy{RedirectTo: h.Redirect, HTTPSOnly: true}
		if h.HSTS {
			policy.HSTS = oneYear
		}
		policies[name] = policy
		if s := p.answering(p.lives[h.ProjectID].Deployment); s != nil {
			hosts[name] = s
		}
	}
	return policies
}
