package bundle

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// maxLinks is how many links one path may lead through (Linux: MAXSYMLINKS).
const maxLinks = 40

// checkLinks refuses a link that leaves the artifact, by itself or by way of other
// links. One whose target is not there may stay: build tools leave such behind.
func (m Manifest) checkLinks() error {
	targets := map[string]string{}
	for _, f := range m.Files {
		if f.Link == "" {
			continue
		}
		if err := f.checkTarget(); err != nil {
			return err
		}
		targets[foldPath(f.Path)] = f.Link
	}
	for _, f := range m.Files {
		if f.Link == "" {
			continue
		}
		if err := f.follow(targets); err != nil {
			return err
		}
	}
	return nil
}

func (f File) checkTarget() error {
	switch {
	case len(f.Link) > maxPath, !utf8.ValidString(f.Link),
		strings.Contains(f.Link, `\`), strings.ContainsFunc(f.Link, unicode.IsControl):
		return anchor.Invalid("bad_link", "the link %q has the target %q…, which cannot be a path", f.Path, cut(f.Link, 80)).
			Hintf("Link to a relative path of at most %d bytes without backslashes and control characters.", maxPath)
	case path.IsAbs(f.Link), len(f.Link) > 1 && f.Link[1] == ':' && isLetter(f.Link[0]):
		return anchor.Invalid("link_escapes", "the link %q leads to the absolute path %q", f.Path, f.Link).
			Hintf("Make the link relative, to a file of the artifact.")
	}
	return nil
}

// follow walks from the root to where the link leads, the way the kernel does. targets
// holds the links by folded path: where case does not count, "B" is on the way of "b/..".
func (f File) follow(targets map[string]string) error {
	var at []string
	rest := strings.Split(f.Path, "/")
	for hops := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return anchor.Invalid("link_escapes", "the link %q leads out of the artifact, by %q", f.Path, f.Link).
					Hintf("Link to a file of the artifact, or put a copy in the link's place.")
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at, name)
		target, isLink := targets[foldPath(strings.Join(at, "/"))]
		if !isLink {
			continue
		}
		if hops++; hops > maxLinks {
			return anchor.Invalid("link_loop", "the link %q leads through more than %d links", f.Path, maxLinks).
				Hintf("Links that lead in a circle cannot be opened; remove them.")
		}
		at = at[:len(at)-1]
		rest = append(strings.Split(target, "/"), rest...)
	}
	return nil
}
