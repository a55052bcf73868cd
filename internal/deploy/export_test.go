package deploy

// Closing reports whether the service has begun to close.
func (s *Service) Closing() bool { return s.lanes.ctx.Err() != nil }

// Watchers is how many deployments somebody watches.
func (s *Service) Watchers() int {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return len(s.feed.bells)
}
