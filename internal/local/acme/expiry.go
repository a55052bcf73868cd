package acme

import "time"

// Expiries returns when the certificate of each attached name that has one expires.
func (m *Manager) Expiries() map[string]time.Time {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := map[string]time.Time{}
	for name, e := range m.names {
		if !e.notAfter.IsZero() {
			all[name] = e.notAfter
		}
	}
	return all
}
