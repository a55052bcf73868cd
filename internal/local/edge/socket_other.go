//go:build !unix

package edge

import "errors"

const readsSockets = false

func readSocket(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
