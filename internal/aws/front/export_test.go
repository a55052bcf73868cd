package front

// Hurry makes every pause return at once.
func (f *Front) Hurry() { f.retries.First, f.retries.Longest = 0, 0 }

// Covers is covers.
var Covers = coversConfig

// Split is split.
var Split = splitValue
