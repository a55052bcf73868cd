package fronttest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The event of CloudFront Functions (Developer Guide, "CloudFront Functions event structure").

type event struct {
	Version string            `json:"version"`
	Context map[string]string `json:"context"`
	Viewer  map[string]string `json:"viewer"`
	Request message           `json:"request"`
}

// message is a request, or a response when it has a status.
type message struct {
	Method      string            `json:"method,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Querystring map[string]values `json:"querystring"`
	Headers     map[string]values `json:"headers"`
	Cookies     map[string]values `json:"cookies"`

	StatusCode        int    `json:"statusCode,omitempty"`
	StatusDescription string `json:"statusDescription,omitempty"`
}

type values struct {
	Value      string  `json:"value"`
	Attributes string  `json:"attributes,omitempty"`
	MultiValue []value `json:"multiValue,omitempty"`
}

type value struct {
	Value string `json:"value"`
}

func (v values) all() []string {
	if len(v.MultiValue) == 0 {
		return []string{v.Value}
	}
	all := make([]string, len(v.MultiValue))
	for i, one := range v.MultiValue {
		all[i] = one.Value
	}
	return all
}

func (v *values) add(s string, first bool) {
	if first {
		v.Value = s
		return
	}
	if v.MultiValue == nil {
		v.MultiValue = []value{{v.Value}}
	}
	v.MultiValue = append(v.MultiValue, value{s})
}

// unexposed headers are not in the event; connection headers are not passed on either.
var unexposed = []string{
	"connection", "cookie", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
	"te", "trailer", "upgrade", "x-forwarded-proto", "x-real-ip",
}

func newEvent(r *http.Request, distribution string) event {
	m := message{
		Method: r.Method, URI: r.URL.EscapedPath(),
		Querystring: pairs(r.URL.RawQuery, "&"), Cookies: pairs(strings.Join(r.Header.Values("Cookie"), "; "), ";"),
		Headers: map[string]values{"host": {Value: r.Host}},
	}
	for name, lines := range r.Header {
		name = strings.ToLower(name)
		if slices.Contains(unexposed, name) || strings.HasPrefix(name, "x-edge-") || strings.HasPrefix(name, "x-amz-cf-") {
			continue
		}
		var v values
		for i, line := range lines {
			v.add(line, i == 0)
		}
		m.Headers[name] = v
	}
	return event{
		Version: "1.0", Request: m,
		Context: map[string]string{"distributionId": distribution, "eventType": "viewer-request", "requestId": anchor.NewID()},
		Viewer:  map[string]string{"ip": "192.0.2.1"},
	}
}

// pairs splits "a=1;b=2", without decoding.
func pairs(text, separator string) map[string]values {
	all := map[string]values{}
	for part := range strings.SplitSeq(text, separator) {
		if separator == ";" {
			part = strings.TrimSpace(part)
		}
		if part == "" {
			continue
		}
		name, text, _ := strings.Cut(part, "=")
		v, again := all[name]
		v.add(text, !again)
		all[name] = v
	}
	return all
}

func unpair(all map[string]values, separator string) string {
	var parts []string
	for name, v := range all {
		for _, one := range v.all() {
			parts = append(parts, name+"="+one)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, separator)
}

// header returns the headers that the origin receives.
func (m message) header() http.Header {
	h := http.Header{}
	for name, v := range m.Headers {
		if name == "host" {
			continue // AllViewerExceptHostHeader
		}
		for _, one := range v.all() {
			h.Add(name, one)
		}
	}
	if cookies := unpair(m.Cookies, "; "); cookies != "" {
		h.Set("Cookie", cookies)
	}
	return h
}

// write answers with m.
func (m message) write(w http.ResponseWriter) {
	for name, v := range m.Headers {
		for _, one := range v.all() {
			w.Header().Add(name, one)
		}
	}
	for name, v := range m.Cookies {
		line := name + "=" + v.Value
		if v.Attributes != "" {
			line += "; " + v.Attributes
		}
		w.Header().Add("Set-Cookie", line)
	}
	w.WriteHeader(m.StatusCode)
}
