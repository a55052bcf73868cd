//go:build !linux

package egress

import (
	"errors"
	"os"
)

// Attach returns an error: the mechanisms are Linux's.
func Attach(*os.File, []Rule) error {
	return errors.New("only Linux can deny programs addresses")
}
