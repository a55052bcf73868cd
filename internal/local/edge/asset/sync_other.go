//go:build !linux

package asset

import (
	"errors"
	"os"
)

// syncFiles makes files durable, by their names.
func syncFiles(_ string, names map[string]string) error {
	for name := range names {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	return nil
}
