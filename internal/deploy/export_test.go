package deploy

// Watchers is how many deployments somebody watches.
func (s *Service) Watchers() int {
	s.notifier.mu.Lock()
	defer s.notifier.mu.Unlock()
	return len(s.notifier.watchers)
}
