package artifact

import (
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// maxLinks is how many links one path may lead through (Linux: MAXSYMLINKS).
const maxLinks = 40

// checkLinks refuses a link that leaves the artifact, directly or through other links. One
// without a target may stay: build tools leave such links behind.
func (m Manifest) checkLinks() error {
	for _, f := range m.Files {
		if f.Link == "" {
			continue
		}
		if err := f.checkTarget(); err != nil {
			return err
		}
	}
	return m.followLinks(exactPath)
}

// followLinks refuses links that leave the artifact where paths with the same key are one.
func (m Manifest) followLinks(key func(string) string) error {
	links := m.linksOf(key)
	for _, f := range m.Files {
		if f.Link == "" {
			continue
		}
		if _, err := links.followLink(f, "."); err != nil {
			return err
		}
	}
	return nil
}

// links are the targets of a manifest's links by the key of their path.
type links struct {
	key     func(string) string
	targets map[string]string
}

func (m Manifest) linksOf(key func(string) string) links {
	l := links{key: key, targets: map[string]string{}}
	for _, f := range m.Files {
		if f.Link != "" {
			l.targets[key(f.Path)] = f.Link
		}
	}
	return l
}

func (f File) checkTarget() error {
	switch {
	case len(f.Link) > maxPath, !utf8.ValidString(f.Link),
		strings.Contains(f.Link, `\`), strings.ContainsFunc(f.Link, unicode.IsControl):
		return anchor.Invalid("bad_link", "the link %q has the target %q…, which cannot be a path", f.Path, cutText(f.Link, 80)).
			Hintf("Link to a relative path of at most %d bytes without backslashes and control characters.", maxPath)
	case path.IsAbs(f.Link), len(f.Link) > 1 && f.Link[1] == ':' && isLetter(f.Link[0]):
		return anchor.Invalid("link_escapes", "the link %q points to the absolute path %q", f.Path, f.Link).
			Hintf("Make the link relative, to a file of the artifact.")
	}
	return nil
}

// followLink walks from the folder home, which f is in, to where the link leads, the way the
// kernel does, and returns the path of that. A step out of home is an Invalid error
// (link_escapes).
func (l links) followLink(f File, home string) (string, error) {
	var at []string
	rest := strings.Split(f.Path, "/")
	if home != "." {
		at = strings.Split(home, "/")
		rest = rest[len(at):]
	}
	floor := len(at)
	for hops := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if len(at) == floor {
				return "", f.checkEscapes(home)
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at, name)
		target, isLink := l.targets[l.key(strings.Join(at, "/"))]
		if !isLink {
			continue
		}
		if hops++; hops > maxLinks {
			return "", anchor.Invalid("link_loop", "the link %q passes through more than %d links", f.Path, maxLinks).
				Hintf("Links that form a loop cannot be opened; remove them.")
		}
		at = at[:len(at)-1]
		rest = append(strings.Split(target, "/"), rest...)
	}
	return path.Clean(strings.Join(at, "/")), nil
}

func (f File) checkEscapes(home string) error {
	from := "the artifact"
	if home != "." {
		from = strconv.Quote(home)
	}
	return anchor.Invalid("link_escapes", "the link %q points outside %s, through %q", f.Path, from, f.Link).
		Hintf("Link to a file of the artifact, or replace the link by a copy of the file.")
}
