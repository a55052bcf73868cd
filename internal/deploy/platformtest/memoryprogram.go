package platformtest

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// program is what a function does with a request. The programs are those of the modules in
// testdata; Memory reads from a module's text which one it is.
type program interface {
	run(s *memorySite, r *memoryRequest) memoryAnswer
}

// memoryRequest is a request as a function receives it.
type memoryRequest struct {
	method, host, path string
	query              map[string][]string
	header             http.Header
}

// memoryAnswer is a function's answer. Middleware that lets a request pass answers with status 0,
// after it has changed the request.
type memoryAnswer struct {
	status   int
	location string
	body     string
}

var (
	moduleVersion = regexp.MustCompile(`(?m)^const version = "([^"]*)";$`)
	moduleBase    = regexp.MustCompile(`(?m)^const base = "([^"]*)";$`)
	imageVersion  = regexp.MustCompile("body: `([^ ]*) ")
)

// readProgram returns the program of a module's text, an unknownProgram for a text that is not
// made of this package's modules.
func readProgram(source string) program {
	if strings.HasPrefix(source, middlewareModule) {
		return middlewareProgram{}
	}
	version, base := moduleVersion.FindStringSubmatch(source), moduleBase.FindStringSubmatch(source)
	if version != nil && base != nil && module(version[1], base[1]) == source {
		return serverProgram{version: version[1], base: base[1]}
	}
	image := imageVersion.FindStringSubmatch(source)
	if image != nil && strings.Replace(imageModule, "VERSION", image[1], 1) == source {
		return imageProgram{version: image[1]}
	}
	return unknownProgram{}
}

// unknownProgram is the program of a module that Memory cannot run.
type unknownProgram struct{}

func (unknownProgram) run(*memorySite, *memoryRequest) memoryAnswer {
	return memoryAnswer{status: http.StatusInternalServerError}
}

// serverProgram is testdata/server.mjs.
type serverProgram struct{ version, base string }

func (p serverProgram) run(s *memorySite, r *memoryRequest) memoryAnswer {
	below, found := strings.CutPrefix(r.path, p.base)
	if found && below == "" {
		below = "/"
	}
	var body string
	switch {
	case !found:
		return memoryAnswer{status: http.StatusNotFound, body: "no page"}
	case below == "/":
		body = p.version
	case below == "/greeting":
		body = s.env["GREETING"]
	case below == "/api/name":
		body = p.version + " " + r.method
	case below == "/api/runs":
		body = fmt.Sprintf("%s %s %s", p.version, r.header.Get("X-Runs"), r.host)
	case below == "/host":
		body = r.host
	case below == "/secrets":
		body = originSecrets(r.header)
	case below == "/tagged":
		body = s.freshness("build/tagged")
	case below == "/revalidate":
		body = fmt.Sprintf("%d revalidated", s.revalidate("build/news"))
	case below == "/slow":
		body = "began\n" + p.version + " ended\n"
	default:
		return memoryAnswer{status: http.StatusNotFound, body: "no page"}
	}
	return memoryAnswer{status: http.StatusOK, body: body}
}

// originSecrets returns the names of the headers that only a front may set.
func originSecrets(header http.Header) string {
	var found []string
	for name := range header {
		if strings.HasPrefix(strings.ToLower(name), "x-anchor-origin") {
			found = append(found, name)
		}
	}
	return strings.Join(found, ",")
}

// freshness returns "fresh" or "stale" for each tag of a page.
func (s *memorySite) freshness(page string) string {
	var states []string
	for key, at := range s.tags {
		switch {
		case key.path != page:
		case at > 1:
			states = append(states, "stale")
		default:
			states = append(states, "fresh")
		}
	}
	return strings.Join(states, ",")
}

// revalidate marks every page that has a tag and returns their number.
func (s *memorySite) revalidate(tag string) (pages int) {
	for key, at := range s.tags {
		if key.tag == tag {
			s.tags[key] = at + 1
			pages++
		}
	}
	return pages
}

// imageProgram is testdata/image.mjs.
type imageProgram struct{ version string }

func (p imageProgram) run(_ *memorySite, r *memoryRequest) memoryAnswer {
	first := func(name string) string { return strings.Join(r.query[name], "") }
	return memoryAnswer{status: http.StatusOK, body: p.version + " " + first("url") + " " + first("w")}
}

// middlewareProgram is testdata/middleware.mjs.
type middlewareProgram struct{}

func (middlewareProgram) run(_ *memorySite, r *memoryRequest) memoryAnswer {
	if r.path == "/old" {
		return memoryAnswer{status: http.StatusTemporaryRedirect, location: "/new"}
	}
	r.header.Set("X-Runs", r.header.Get("X-Runs")+"1")
	if below, found := strings.CutPrefix(r.path, "/into/"); found {
		r.path = "/api/" + below
	}
	if r.path == "/file" {
		r.path = "/public.txt"
	}
	return memoryAnswer{}
}
