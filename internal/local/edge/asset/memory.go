package asset

import "sync"

// DefaultFileLimit is the largest body in bytes that Memory keeps; a larger one is sent by
// sendfile.
const DefaultFileLimit = 64 << 10

// Memory keeps the bodies of small files, up to a total size. All indexes of a server share one, so
// its size bounds the whole server however many deployments it keeps. A hit takes no lock.
//
// It evicts by second chance (the clock algorithm): a body that was used since the hand last passed
// stays.
type Memory struct {
	total   int64
	perFile int64

	mu   sync.Mutex
	size int64
	ring []*variant
	hand int
}

// NewMemory returns a Memory that holds total octets, in bodies of at most perFile octets each.
// perFile 0 means DefaultFileLimit.
func NewMemory(total, perFile int64) *Memory {
	if perFile <= 0 {
		perFile = DefaultFileLimit
	}
	return &Memory{total: total, perFile: min(perFile, total)}
}

func (m *Memory) fitsMemory(v *variant) bool { return m != nil && v.size <= m.perFile }

// keptBody returns the kept body of v, or nil.
func (v *variant) keptBody() []byte {
	kept := v.kept.Load()
	if kept == nil {
		return nil
	}
	if !v.used.Load() {
		v.used.Store(true)
	}
	return *kept
}

func (m *Memory) keepBody(v *variant, body []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v.kept.Load() != nil || !m.makeRoom(int64(len(body))) {
		return
	}
	m.size += int64(len(body))
	m.ring = append(m.ring, v)
	v.kept.Store(&body)
}

// makeRoom stops after two rounds: then every body is in use, and the new one is not worth more
// than they are.
func (m *Memory) makeRoom(need int64) bool {
	for steps := 2 * len(m.ring); m.size+need > m.total && steps > 0; steps-- {
		m.hand %= len(m.ring)
		v := m.ring[m.hand]
		if v.used.Swap(false) {
			m.hand++
			continue
		}
		m.size -= int64(len(*v.kept.Swap(nil)))
		last := len(m.ring) - 1
		m.ring[m.hand], m.ring[last] = m.ring[last], nil
		m.ring = m.ring[:last]
	}
	return m.size+need <= m.total
}
