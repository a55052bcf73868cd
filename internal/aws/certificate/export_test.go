package certificate

// Hurry makes every pause return at once.
func (d *Domains) Hurry() { d.retries.First, d.retries.Longest = 0, 0 }

// Primary is primary.
var Primary = primary

// Describe is describe.
var Describe = describeCert
