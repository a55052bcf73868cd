// Package meter counts the requests of the edge and how long they took. Counting a request costs three atomic
// additions and no memory: the counters of a combination of labels are made with its first request.
package meter

import (
	"slices"
	"sync/atomic"
	"time"
)

// Outcome is what answered a request.
type Outcome uint8

// Outcomes of requests.
const (
	Edge    Outcome = iota // the edge itself: refusals and redirects
	Static                 // a static file
	Hit                    // a stored answer that is fresh
	Stale                  // a stored answer that is stale
	Miss                   // a function, whose answer was stored, or the one for which another request waited
	Dynamic                // a function, or a middleware, whose answer is for this request only
	outcomes
)

var outcomeNames = [outcomes]string{"edge", "static", "hit", "stale", "miss", "dynamic"}

// String returns the name of an outcome, as metrics and the access log write it.
func (o Outcome) String() string { return outcomeNames[o] }

// classes are the statuses by their first digit, from 1xx to 5xx.
const classes = 5

// ClassOf returns the first digit of a status, within 1 and 5.
func ClassOf(status int) int { return min(max(status/100, 1), classes) }

// Traffic counts the requests of one deployment.
type Traffic struct {
	functions []string
	cells     []atomic.Pointer[Cell]
}

// Cell counts the requests that have the same labels.
type Cell struct {
	octets    atomic.Int64
	durations histogram
}

// NewTraffic returns counters for a deployment with functions of these names.
func NewTraffic(functions ...string) *Traffic {
	t := &Traffic{functions: append([]string{""}, functions...)}
	t.cells = make([]atomic.Pointer[Cell], len(t.functions)*int(outcomes)*classes)
	return t
}

// Cell returns the counters for requests that a function answered, "" for none. An unknown function
// counts as none.
func (t *Traffic) Cell(function string, o Outcome, status int) *Cell {
	f := max(0, slices.Index(t.functions, function))
	at := &t.cells[(f*int(outcomes)+int(o))*classes+ClassOf(status)-1]
	if c := at.Load(); c != nil {
		return c
	}
	at.CompareAndSwap(nil, &Cell{})
	return at.Load()
}

// Add counts n requests, which were answered with octets altogether after d each.
func (c *Cell) Add(n int, octets int64, d time.Duration) {
	c.durations.add(n, d)
	c.octets.Add(octets)
}

// Sample is what one Cell has counted.
type Sample struct {
	Function  string // that answered; "" for none
	Outcome   Outcome
	Class     int // the first digit of the status
	Octets    int64
	Durations Counts
}

// Samples returns what was counted since the start, for the combinations that occurred.
func (t *Traffic) Samples() (all []Sample) {
	for i := range t.cells {
		c := t.cells[i].Load()
		if c == nil {
			continue
		}
		all = append(all, Sample{
			Function: t.functions[i/classes/int(outcomes)], Outcome: Outcome(i / classes % int(outcomes)), Class: i%classes + 1,
			Octets: c.octets.Load(), Durations: c.durations.read(),
		})
	}
	return all
}
