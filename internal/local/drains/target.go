package drains

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The most fields of a drain, and the most octets of their names and values.
const maxHeaders, maxHeaderBytes = 20, 8 << 10

// paths are what is requested where the URL of a target has no path.
var paths = map[string]string{"loki": "/loki/api/v1/push", "otlp": "/v1/logs"}

// ports are those of syslog where the URL of a target has none: RFC 5426, section 3.3; RFC 6587, section 3.1; RFC 5425, section 4.1.
var ports = map[string]string{"syslog+udp": "514", "syslog+tcp": "601", "syslog+tls": "6514"}

// prepare refuses what cannot work and fills in what was left out.
func prepare(d *anchor.Drain, t *anchor.DrainTarget) error {
	if len(d.Sources) == 0 {
		d.Sources = []string{"app"}
	}
	for _, source := range d.Sources {
		if !slices.Contains(anchor.DrainSources, source) {
			return anchor.Invalid("bad_drain_source", "%q is not what drains can send", source).Hintf("Use one of %s.", strings.Join(anchor.DrainSources, ", "))
		}
	}
	slices.Sort(d.Sources)
	d.Sources = slices.Compact(d.Sources)
	u, err := url.Parse(t.URL)
	if err != nil || u.Hostname() == "" {
		return anchor.Invalid("bad_drain_target", "the target of the drain is not a whole URL").Hintf("Pass it with its scheme, such as https://logs.example.com/lines or syslog+tls://logs.example.com.")
	}
	switch d.Kind {
	case "syslog":
		err = prepareSyslog(u, t)
	case "http", "loki", "otlp":
		err = prepareHTTP(d.Kind, u, t)
	default:
		err = anchor.Invalid("bad_drain_kind", "%q is not a kind of drain", d.Kind).Hintf("Use one of %s.", strings.Join(anchor.DrainKinds, ", "))
	}
	d.Target, t.URL = u.Host, u.String()
	return err
}

func prepareSyslog(u *url.URL, t *anchor.DrainTarget) error {
	port, known := ports[u.Scheme]
	if !known {
		return anchor.Invalid("bad_drain_target", "%q is not a transport of syslog", u.Scheme).Hintf("Use syslog+tls://HOST:PORT, syslog+tcp://HOST:PORT or syslog+udp://HOST:PORT.")
	}
	if len(t.Headers) > 0 {
		return anchor.Invalid("bad_drain_header", "syslog has no headers").Hintf("Leave --header out.")
	}
	if u.Port() == "" {
		u.Host += ":" + port
	}
	return nil
}

func prepareHTTP(kind string, u *url.URL, t *anchor.DrainTarget) error {
	if u.Scheme != "https" && u.Scheme != "http" {
		return anchor.Invalid("bad_drain_target", "the URL of a drain of kind %s begins with %s://", kind, u.Scheme).Hintf("Pass an https or http URL, or use the kind syslog.")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = paths[kind]
	}
	size := 0
	for name, value := range t.Headers {
		size += len(name) + len(value)
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return anchor.Invalid("bad_drain_header", "the header %q has a name or a value that HTTP does not permit", name).Hintf("Pass it as NAME: VALUE, in one line.")
		}
		switch http.CanonicalHeaderKey(name) {
		case "Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding", "Host", "Connection":
			return anchor.Invalid("bad_drain_header", "Anchor itself sets the header %q", name).Hintf("Leave it out.")
		}
	}
	if len(t.Headers) > maxHeaders || size > maxHeaderBytes {
		return anchor.Invalid("bad_drain_header", "the drain has more than %d headers or %d bytes of them", maxHeaders, maxHeaderBytes).Hintf("Pass only those that the target requires.")
	}
	return nil
}

// newSender returns what sends to a target that prepare has accepted.
func newSender(kind string, t anchor.DrainTarget) sender {
	header := http.Header{}
	for name, value := range t.Headers {
		header.Set(name, value)
	}
	switch kind {
	case "syslog":
		return newSyslog(t.URL)
	case "loki":
		return &lokiSender{t.URL, header}
	case "otlp":
		return newOTLP(t.URL, header)
	}
	return &httpSender{t.URL, header}
}
