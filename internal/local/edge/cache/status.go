package cache

import (
	"strconv"
	"time"
)

// HeaderStatus is the field in which caches report how they handled a request (RFC 9211).
const HeaderStatus = "Cache-Status"

// name is this cache's in Cache-Status.
const name = "anchor"

// Forward is why a request went to the function (RFC 9211, section 2.2).
type Forward string

// Reasons to forward: the request is not for the cache; its method is not; nothing is stored; what
// is stored is stale.
const (
	ForwardBypass Forward = "bypass"
	ForwardMethod Forward = "method"
	ForwardMiss   Forward = "uri-miss"
	ForwardStale  Forward = "stale"
)

// Status is one member of Cache-Status.
type Status struct {
	Hit       bool
	Forward   Forward
	Stored    bool
	Collapsed bool
	TTL       time.Duration
	HasTTL    bool
	Detail    string // a token, "" for none
}

// String returns the member as it is written in the field.
func (s Status) String() string { return string(s.Append(nil)) }

// Append appends the member to b.
func (s Status) Append(b []byte) []byte {
	b = append(b, name...)
	if s.Hit {
		b = append(b, "; hit"...)
	}
	if s.Forward != "" {
		b = append(append(b, "; fwd="...), s.Forward...)
	}
	if s.HasTTL {
		b = strconv.AppendInt(append(b, "; ttl="...), int64(s.TTL/time.Second), 10)
	}
	if s.Stored {
		b = append(b, "; stored"...)
	}
	if s.Collapsed {
		b = append(b, "; collapsed"...)
	}
	if s.Detail != "" {
		b = append(append(b, "; detail="...), s.Detail...)
	}
	return b
}
