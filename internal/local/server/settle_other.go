//go:build !linux

package server

func unmapProgram() {}
