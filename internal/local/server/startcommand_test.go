package server

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRepaired_StartCommand parses the command as a shell does: its last word must be the repaired
// folder, whatever characters the path contains.
func TestRepaired_StartCommand(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_DATA_HOME", home)
	if got := (Repaired{Data: filepath.Join(home, "anchor")}).StartCommand(); got != "anchor up" {
		t.Errorf("the command for the default folder is %q, want %q", got, "anchor up")
	}
	for _, data := range []string{"/srv/anchor", "/srv/my shop", "/srv/it's; echo $HOME", "/srv/größe", "/srv/*"} {
		command := Repaired{Data: data}.StartCommand()
		words, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\n' `+strings.TrimPrefix(command, "anchor ")).Output()
		if err != nil {
			t.Errorf("run %q in a shell: %v", command, err)
		}
		if want := "up\n--data\n" + data + "\n"; string(words) != want {
			t.Errorf("a shell reads %q as %q, want %q", command, words, want)
		}
	}
}
