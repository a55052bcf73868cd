package artifact

import (
	"path"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Inline replaces links by their targets. A link that never leaves the folder that home returns
// for its path stays a link, with or without a target; "" means that no link may stay. An
// Invalid error names a link whose target is not in m (broken_link) or is a folder that
// contains the link (link_loop). The other errors are those of Check, for m or for the result.
func (m Manifest) Inline(home func(path string) string, limits Limits) (Manifest, error) {
	if err := m.Check(limits); err != nil {
		return Manifest{}, err
	}
	in := inliner{links: m.linksOf(exactPath), limits: limits}
	var leaving []File
	for _, f := range m.Files {
		if f.Link != "" && !in.staysInside(f, home(f.Path)) {
			leaving = append(leaving, f)
			continue
		}
		in.out = append(in.out, f)
	}
	if len(leaving) == 0 {
		return m, nil
	}
	in.indexManifest(m)
	for _, f := range leaving {
		if err := in.inlineLink(f.Path, f, foldersOf(f.Path)); err != nil {
			return Manifest{}, err
		}
	}
	inlined := Manifest{Files: in.out}.Sorted()
	return inlined, inlined.Check(limits)
}

type inliner struct {
	links    links
	limits   Limits
	files    map[string]File
	children map[string][]string // paths by folder, of files and folders
	out      []File
	visited  int
}

func (in *inliner) staysInside(f File, home string) bool {
	if home == "" {
		return false
	}
	_, err := in.links.followLink(f, home)
	return err == nil
}

func (in *inliner) indexManifest(m Manifest) {
	in.files = make(map[string]File, len(m.Files))
	in.children = map[string][]string{}
	for _, f := range m.Files {
		in.files[f.Path] = f
		for at := f.Path; at != "."; at = path.Dir(at) {
			dir := path.Dir(at)
			_, known := in.children[dir]
			in.children[dir] = append(in.children[dir], at)
			if known {
				break
			}
		}
	}
}

// foldersOf lists the folders that a path is in, itself excluded.
func foldersOf(p string) []string {
	list := []string{"."}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		list = append(list, dir)
	}
	return list
}

// inlineLink adds under the path name what the link f leads to. within lists the folders that
// are being copied, and those that f is in, to notice one that holds itself.
func (in *inliner) inlineLink(name string, f File, within []string) error {
	target, err := in.links.followLink(f, ".")
	if err != nil {
		return err
	}
	if file, ok := in.files[target]; ok {
		return in.add(name, file)
	}
	if _, ok := in.children[target]; !ok {
		return anchor.Invalid("broken_link", "the link %q points to %q, which is not in the artifact", f.Path, target).
			Hintf("Remove the link, or replace it by a copy of its target.")
	}
	if slices.Contains(within, target) {
		return anchor.Invalid("link_loop", "the link %q points to %q, which contains it", f.Path, target).
			Hintf("Remove the link.")
	}
	return in.copyFolder(name, target, append(slices.Clone(within), foldersOf(target)...))
}

func (in *inliner) copyFolder(name, folder string, within []string) error {
	within = append(slices.Clone(within), folder)
	for _, child := range in.children[folder] {
		if in.visited++; in.visited > entriesPerFile*in.limits.Files {
			return tooManyFiles(in.visited, in.limits.Files)
		}
		as := name + "/" + path.Base(child)
		f, isFile := in.files[child]
		var err error
		switch {
		case !isFile:
			err = in.copyFolder(as, child, within)
		case f.Link != "":
			err = in.inlineLink(as, f, within)
		default:
			err = in.add(as, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (in *inliner) add(name string, f File) error {
	f.Path = name
	if in.out = append(in.out, f); len(in.out) > in.limits.Files {
		return tooManyFiles(len(in.out), in.limits.Files)
	}
	return CheckPath(name)
}
