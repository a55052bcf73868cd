package sites

import (
	"context"
	"net/netip"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Attach implements domains.Front: from the next table on, the name leads to its project's live
// deployment over HTTPS.
func (p *Platform) Attach(_ context.Context, h anchor.Hostname) error {
	p.attach(h)
	return nil
}

// Detach implements domains.Front.
func (p *Platform) Detach(_ context.Context, h anchor.Hostname) error {
	p.detach(h)
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
