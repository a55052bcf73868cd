//go:build unix

package acme

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

// A hook that hangs is ended with all the processes it has started.
func TestHook_Hangs(t *testing.T) {
	dir := t.TempDir()
	held := filepath.Join(dir, "held") // held while any process of the hook lives
	if err := syscall.Mkfifo(held, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HELD", held)
	program := filepath.Join(dir, "hook")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n(echo begun; sleep 1000; true) >\"$HELD\" &\nwait\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&Hook{Program: program}).run(ctx, "present", acmeproto.Challenge{}) }()
	pipe, err := os.Open(held)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	reader := bufio.NewReader(pipe)
	if line, err := reader.ReadString('\n'); line != "begun\n" {
		t.Fatalf("%q, %v", line, err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not tell that it was canceled", err)
	}
	if err := pipe.SetReadDeadline(time.Now().Add(testPatience)); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("what the hook started lives on: %v", err)
	}
}
