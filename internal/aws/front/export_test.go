package front

import "context"

// Hurry makes every pause return at once, and counts the pauses.
func (f *Front) Hurry() *int {
	n := new(int)
	f.pause = func(ctx context.Context, _ int) error { *n++; return ctx.Err() }
	return n
}

// Covers is covers.
var Covers = covers

// Split is split.
var Split = split
