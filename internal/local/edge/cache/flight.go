package cache

import (
	"context"
	"sync"
	"time"
)

// Outcome is how a flight ended for those who wait for it.
type Outcome int

const (
	// Done means that the response is stored, or that the function failed. Look again.
	Done Outcome = iota
	// NotShared means that the response is not for others. Everyone asks on their own.
	NotShared
	// TimedOut means that the wait took too long.
	TimedOut
)

// Flight is one call of a function whose response others may wait for.
type Flight struct {
	flights *flights
	key     flightKey
	ended   chan struct{}
	once    sync.Once
	outcome Outcome
	entry   *Entry
}

type flightKey struct {
	storeKey
	sequence uint64
	variant  string
}

type flights struct {
	mu    sync.Mutex
	byKey map[flightKey]*Flight
}

// Board returns the flight for the request, and whether the caller leads it: then the caller calls
// the function, and has to End the flight. A flight that began before the last invalidation takes
// nobody on.
func (r *Request) Board() (f *Flight, leads bool) {
	flights := &r.Namespace.store.flights
	key := flightKey{storeKey{r.Namespace, r.Key}, r.Namespace.Sequence(), r.knownVariant()}
	flights.mu.Lock()
	defer flights.mu.Unlock()
	if f, ok := flights.byKey[key]; ok {
		return f, false
	}
	f = &Flight{flights: flights, key: key, ended: make(chan struct{})}
	flights.byKey[key] = f
	return f, true
}

// knownVariant returns the values of the fields by which the last response for the key varied, so
// that requests for different variants do not wait for each other.
func (r *Request) knownVariant() string {
	v, ok := r.Namespace.store.variants.GetIfPresent(storeKey{r.Namespace, r.Key})
	if !ok || len(v.entries) == 0 {
		return ""
	}
	text := ""
	for _, value := range r.Fields.of(v.entries[0].vary) {
		text += value + "\x00"
	}
	return text
}

// End tells those who wait how the flight ended. Only the first call counts.
func (f *Flight) End(outcome Outcome, stored *Entry) {
	f.once.Do(func() {
		f.flights.mu.Lock()
		delete(f.flights.byKey, f.key)
		f.flights.mu.Unlock()
		f.outcome, f.entry = outcome, stored
		close(f.ended)
	})
}

// Sequence is the number of the last invalidation before the flight.
func (f *Flight) Sequence() uint64 { return f.key.sequence }

// longestWait is how long a request waits for the response to another one.
const longestWait = 20 * time.Second

// Wait waits for the flight to end. When ctx ends first, it returns the cause.
func (f *Flight) Wait(ctx context.Context) (Outcome, error) {
	limit := time.NewTimer(longestWait)
	defer limit.Stop()
	select {
	case <-f.ended:
		return f.outcome, nil
	case <-limit.C:
		return TimedOut, nil
	case <-ctx.Done():
		return TimedOut, context.Cause(ctx)
	}
}

// Entry returns the response that the flight brought, for a request of a time that selects it; else nil. A request that
// came after the response needs one that was still fresh then.
func (f *Flight) Entry(r *Request, at time.Time) *Entry {
	if f.entry == nil || !r.Namespace.valid(f.entry.facts) || !f.entry.matches(r.Fields) {
		return nil
	}
	if at.After(f.entry.received) && f.entry.TTL(at) <= 0 {
		return nil
	}
	return f.entry
}
