package artifact

import (
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Limits bound an artifact. Sizes are in bytes, as the manifest declares them; Put checks the
// contents against the declared sizes.
type Limits struct {
	Files    int
	FileSize int64
	Total    int64
}

// DefaultLimits are the limits of a Store without other limits.
var DefaultLimits = Limits{Files: 100_000, FileSize: 1 << 30, Total: 4 << 30}

// The longest path and the longest name in it, in bytes: what file systems take
// (NAME_MAX), with room for the store's own folder before it (PATH_MAX).
const (
	maxPath = 1024
	maxName = 255
)

// Check refuses, before anything is written, a manifest that is too big or that
// could write outside its folder or lose a file on any file system. Each reason has
// its own Code.
func (m Manifest) Check(l Limits) error {
	if len(m.Files) == 0 {
		return anchor.Invalid("no_files", "the artifact has no files").
			Hintf("Build the app first, and deploy the folder that holds .open-next.")
	}
	if len(m.Files) > l.Files {
		return tooManyFiles(len(m.Files), l.Files)
	}
	if err := m.checkSizes(l); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := CheckPath(f.Path); err != nil {
			return err
		}
		if err := f.checkContent(); err != nil {
			return err
		}
	}
	if err := m.checkClashes(); err != nil {
		return err
	}
	return m.checkLinks()
}

func tooManyFiles(have, limit int) error {
	return anchor.TooLarge("too_many_files", "the artifact has too many files and folders: at least %d; the limit is %d", have, limit).
		Hintf("Remove files that the app does not need from public/ and from the traced files of the build.")
}

func fileTooLarge(name string, size, limit int64) error {
	return anchor.TooLarge("file_too_large", "%q has %d bytes, more than %d", name, size, limit).
		Hintf("Keep files of this size in object storage and link to them.")
}

func artifactTooLarge(limit int64, name string) error {
	return anchor.TooLarge("artifact_too_large", "the artifact has more than %d bytes, counted up to %q", limit, name).
		Hintf("Move large files to object storage, and check whether a bundle traces more files than it needs.")
}

func (m Manifest) checkSizes(l Limits) error {
	sizes := make(map[Digest]int64, len(m.Files))
	var total int64
	for _, f := range m.Files {
		if f.Size < 0 {
			return anchor.Invalid("bad_size", "%q has the size %d", f.Path, f.Size).
				Hintf("Pass the size in bytes.")
		}
		if f.Size > l.FileSize {
			return fileTooLarge(f.Path, f.Size, l.FileSize)
		}
		if total += f.Size; total > l.Total {
			return artifactTooLarge(l.Total, f.Path)
		}
		if size, seen := sizes[f.Digest]; seen && f.Link == "" && size != f.Size {
			return anchor.Invalid("size_differs", "%q has %d bytes, but another file of the same digest has %d", f.Path, f.Size, size).
				Hintf("Create the manifest again while no other program writes to the folder.")
		}
		sizes[f.Digest] = f.Size
	}
	return nil
}

func (f File) checkContent() error {
	switch {
	case f.Link == "" && !f.Digest.isValid():
		return anchor.Invalid("bad_digest", "%q has the digest %q…, which is not valid", f.Path, cutText(string(f.Digest), digestLen)).
			Hintf("A digest is the SHA-256 of the content as 64 lower-case hex digits.")
	case f.Link != "" && (f.Size != 0 || f.Digest != "" || f.Exec):
		return anchor.Invalid("bad_link", "%q is a link but also has content", f.Path).
			Hintf("Omit size, digest and exec for a link.")
	}
	return nil
}

// deviceName matches the names that Windows reserves for devices, with any extension
// (learn.microsoft.com, "Naming Files, Paths, and Namespaces").
var deviceName = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)`)

// CheckPath refuses what cannot be the path of an artifact's file on every file
// system. Each reason has its own Code.
func CheckPath(p string) error {
	switch {
	case p == "":
		return anchor.Invalid("empty_path", "a file has no path").
			Hintf("Use a path relative to the artifact's root for each file.")
	case len(p) > maxPath:
		return anchor.Invalid("path_too_long", "the path %q… has %d bytes, more than %d", cutText(p, 80), len(p), maxPath).
			Hintf("Shorten the names of the folders it is in.")
	case strings.HasPrefix(p, "/"), len(p) > 1 && p[1] == ':' && isLetter(p[0]):
		return anchor.Invalid("absolute_path", "the path %q is absolute", p).
			Hintf("Use paths relative to the artifact's root.")
	case !utf8.ValidString(p):
		return anchor.Invalid("bad_path_encoding", "the path %q is not UTF-8", p).
			Hintf("Rename the file.")
	case strings.ContainsFunc(p, unicode.IsControl):
		return anchor.Invalid("control_in_path", "the path %q contains a control character", p).
			Hintf("Rename the file.")
	case strings.Contains(p, `\`):
		return anchor.Invalid("backslash_in_path", "the path %q contains a backslash", p).
			Hintf("Separate folders by slashes, and rename files that have a backslash in their name.")
	}
	for name := range strings.SplitSeq(p, "/") {
		if err := checkName(name, p); err != nil {
			return err
		}
	}
	return nil
}

func checkName(name, p string) error {
	switch {
	case name == "" || name == ".":
		return anchor.Invalid("unclean_path", "the path %q has an empty name or a \".\" in it", p).
			Hintf("Write the path as %q.", path.Clean(p))
	case name == "..":
		return anchor.Invalid("path_escapes", "the path %q has \"..\" in it", p).
			Hintf("Use paths relative to the artifact's root, without \"..\".")
	case len(name) > maxName:
		return anchor.Invalid("name_too_long", "the path %q… has a name of %d bytes, more than %d", cutText(p, 80), len(name), maxName).
			Hintf("Shorten the name.")
	case deviceName.MatchString(name):
		return anchor.Invalid("reserved_name", "the path %q contains the device name %q", p, name).
			Hintf("Rename it: Windows does not support this file name.")
	}
	return nil
}

func cutText(s string, n int) string { return s[:min(n, len(s))] }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// checkClashes refuses a path that is listed twice, and a file that another file needs
// as its folder. Paths that differ in case or Unicode form only are two, as they are to
// Linux, S3 and Next.js; a store on a disk that takes them for one has checkFolded.
func (m Manifest) checkClashes() error {
	return m.findClashes(exactPath)
}

// checkFolded is checkClashes for a disk on which case or Unicode form does not count.
func (m Manifest) checkFolded() error {
	if err := m.findClashes(foldPath); err != nil {
		return err
	}
	return m.followLinks(foldPath)
}

// findClashes finds files whose paths have the same key.
func (m Manifest) findClashes(key func(string) string) error {
	byKey := make(map[string]string, len(m.Files))
	for _, f := range m.Files {
		key := key(f.Path)
		switch other, seen := byKey[key]; {
		case seen && other == f.Path:
			return anchor.Invalid("duplicate_path", "the path %q is listed twice", f.Path).
				Hintf("List each file once.")
		case seen:
			return anchor.Invalid("path_clash", "the paths %q and %q are the same on the server's disk, which ignores case or Unicode form", other, f.Path).
				Hintf("Rename one of the two, or move the server's data to a disk that distinguishes them.")
		}
		byKey[key] = f.Path
	}
	for _, f := range m.Files {
		for dir := path.Dir(key(f.Path)); dir != "."; dir = path.Dir(dir) {
			if other, seen := byKey[dir]; seen {
				return anchor.Invalid("file_is_folder", "%q is a file, and %q needs a folder there", other, f.Path).
					Hintf("Rename one of the two.")
			}
		}
	}
	return nil
}

// exactPath distinguishes all paths that differ in any byte.
func exactPath(p string) string { return p }

// foldPath returns the same text for all spellings of a path that a file system
// without case or with Unicode normalization takes for one.
func foldPath(p string) string {
	folded := strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, norm.NFC.String(p))
	return norm.NFC.String(folded)
}
