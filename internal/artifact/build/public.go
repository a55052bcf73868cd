package build

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// CheckPublic refuses, before the build, files of the app's public folder that the build would
// copy and that cannot be deployed. Links are among them: OpenNext copies one as a link to the
// app's own folder (createAssets.js: cpSync, which makes its target absolute).
func CheckPublic(ctx context.Context, app string) error {
	public := filepath.Join(app, "public")
	return filepath.WalkDir(public, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case name == public && errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return anchor.Invalid("unreadable", "cannot read %q", name).Because(err).
				Hintf("Check its permissions.")
		case name == public:
			return publicFolder(name, entry)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		below, err := filepath.Rel(public, name)
		if err != nil {
			return err
		}
		if err := artifact.CheckPath("assets/" + filepath.ToSlash(below)); err != nil {
			return err
		}
		return publicEntry(name, entry.Type())
	})
}

func publicFolder(name string, entry fs.DirEntry) error {
	if entry.Type()&fs.ModeSymlink != 0 {
		return publicLink(name)
	}
	return nil
}

func publicEntry(name string, kind fs.FileMode) error {
	switch {
	case kind.IsRegular(), kind.IsDir():
		return nil
	case kind&fs.ModeSymlink != 0:
		return publicLink(name)
	}
	return anchor.Invalid("special_file", "%q is neither a file nor a folder", name).
		Hintf("Move it out of the public folder.")
}

func publicLink(name string) error {
	target, err := os.Readlink(name)
	return anchor.Invalid("public_link", "%q is a symbolic link to %q, which would be outside the .open-next folder after the build", name, target).
		Because(err).Hintf("Replace the link by a copy of its target, for example with cp -RL.")
}
