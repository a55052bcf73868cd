//go:build !linux && !darwin

package edge

import (
	"errors"
	"syscall"
)

const canReadSocket = false

func readSocket(syscall.RawConn) (*[]byte, error) { return nil, errors.ErrUnsupported }
