//go:build !linux

package egress

import (
	"errors"
	"os"
)

// Attach returns an error: only Linux has the mechanisms.
func Attach(*os.File, []Rule) error {
	return errors.New("only Linux can deny programs addresses")
}
