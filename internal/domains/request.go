package domains

import "github.com/anchor-deploy/anchor/internal/anchor"

// Request asks for a name to be attached.
type Request struct {
	Domain     string // as the user wrote it: a name, or a URL pasted whole
	Redirect   string // a name of the same project to send requests on to
	WWW        bool   // attach the other of www and apex too, redirecting to this one
	HSTS       bool
	Chain, Key []byte // PEM of the user's own certificate, nil for an issued one
}

// View is a hostname with what its user needs to see.
type View struct {
	anchor.Hostname
	Unicode   string             // the name in U-labels
	Note      string             // how the input was read, when it was not a plain name
	Target    []anchor.DNSRecord // set one address or alias of these
	Records   []anchor.DNSRecord // set each of these
	Diagnosis *Diagnosis         // fresh, on Get and Check
	IsActive  bool
	Warnings  []string // homographs, an apex that cannot have a CNAME, …
}
