package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// vercelName is a file of Vercel's, whose crons are an app's when its Settings have none.
const vercelName = "vercel.json"

// AddCrons writes the crons of the app in dir to its build: those of s, else those of vercel.json in
// dir. A build without either stays as it is.
func AddCrons(tree, dir string, s Settings) error {
	crons := s.Crons
	if crons == nil {
		var err error
		if crons, err = vercelCrons(dir); err != nil {
			return err
		}
	}
	if crons == nil {
		return nil
	}
	content, err := json.Marshal(crons)
	if err != nil {
		return fmt.Errorf("write the crons of the build: %w", err)
	}
	root, err := os.OpenRoot(tree)
	if err != nil {
		return fmt.Errorf("write the crons of the build: %w", err)
	}
	defer root.Close()
	// What the build may have put in the place of the file is removed, never written to.
	if err := root.RemoveAll(opennext.CronsFile); err != nil || len(crons) == 0 {
		return err
	}
	file, err := root.OpenFile(opennext.CronsFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = file.Write(content)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("write the crons of the build: %w", err)
	}
	return nil
}

// vercelCrons returns the crons of vercel.json, nil when there is no file or it has none.
func vercelCrons(dir string) ([]anchor.Cron, error) {
	name := filepath.Join(dir, vercelName)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", dir, err)
	}
	defer root.Close()
	file, err := artifact.OpenIn(root, vercelName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxVercel))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	var config struct {
		Crons []anchor.Cron `json:"crons"`
	}
	if err := json.Unmarshal(content, &config); err != nil {
		return nil, anchor.Invalid("bad_vercel_file", "the crons of %s cannot be read: %v", name, err).Because(err).
			Hintf("Correct the file, or set crons in %s.", SettingsName)
	}
	if err := anchor.CheckCrons(config.Crons); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return config.Crons, nil
}

// maxVercel is the most that is read of vercel.json, in bytes.
const maxVercel = 1 << 20
