package builder

// Load returns how many builds run and how many wait.
func (b *Builder) Load() (running, waiting int) {
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	return len(b.queue.running), len(b.queue.waiting)
}
