package acme

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

// The output of a DNS hook is shown, but truncated: it may be endless, and it may not be text.
func TestHook_WritesMuch(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "hook")
	script := "#!/bin/sh\nprintf 'wrong \\377 key\\n' >&2\nhead -c 1000000 /dev/zero >&2\nexit 3\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	err := (&Hook{Program: program}).run(t.Context(), "present", acmeproto.Challenge{})
	var failed *HookError
	if !errors.As(err, &failed) || failed.Output != "wrong  key" || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%v", err)
	}
	var b beginning
	for range 100 {
		if n, err := b.Write(make([]byte, 1000)); n != 1000 || err != nil {
			t.Fatal(n, err)
		}
	}
	if b.kept.Len() != beginningSize {
		t.Errorf("%d octets are kept", b.kept.Len())
	}
}
