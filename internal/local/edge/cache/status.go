package cache

import (
	"strconv"
	"strings"
	"time"
)

// HeaderStatus is the field in which caches report how they handled a request (RFC 9211).
const HeaderStatus = "Cache-Status"

// name is this cache's in Cache-Status.
const name = "anchor"

// Forward is why a request went to the function (RFC 9211, section 2.2).
type Forward string

const (
	ForwardBypass  Forward = "bypass"
	ForwardMethod  Forward = "method"
	ForwardMiss    Forward = "uri-miss"
	ForwardStale   Forward = "stale"
	ForwardPartial Forward = "partial"
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
func (s Status) String() string {
	var b strings.Builder
	b.WriteString(name)
	if s.Hit {
		b.WriteString("; hit")
	}
	if s.Forward != "" {
		b.WriteString("; fwd=" + string(s.Forward))
	}
	if s.HasTTL {
		b.WriteString("; ttl=" + strconv.FormatInt(int64(s.TTL/time.Second), 10))
	}
	if s.Stored {
		b.WriteString("; stored")
	}
	if s.Collapsed {
		b.WriteString("; collapsed")
	}
	if s.Detail != "" {
		b.WriteString("; detail=" + s.Detail)
	}
	return b.String()
}
