//go:build !linux

package egress

import (
	"errors"
	"os"
)

// Fence is what Open makes on Linux.
type Fence struct{}

// Open returns an error: the mechanisms are Linux's.
func Open([]Rule) (*Fence, error) {
	return nil, errors.New("only Linux can deny programs addresses")
}

// Members returns nil.
func (f *Fence) Members() *os.File { return nil }

// Close does nothing.
func (f *Fence) Close() error { return nil }
