//go:build !linux && !darwin

package edge

import "errors"

const canReadSocket = false

func receiveNow(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func sendNow(uintptr, *[6][]byte) int { return 0 }
