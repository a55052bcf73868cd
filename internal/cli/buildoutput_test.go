package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// On a terminal the output of a build is folded away; of one that fails the first and the last lines are
// shown. Elsewhere all of it is printed as it comes.
func TestBuildApp_ShowsOutput(t *testing.T) {
	for terminal, test := range map[bool]struct{ shown, hidden []string }{
		true:  {shown: []string{"  │ line 1\n", "  │ …\n", "  │ line 150\n"}, hidden: []string{"  │ line 60\n", "· Install\n"}},
		false: {shown: []string{"· Install\n", "  │ line 1\n", "  │ line 60\n", "  │ line 150\n"}, hidden: []string{"  │ …\n"}},
	} {
		var out bytes.Buffer
		s := &shell{IOStreams: IOStreams{Out: &out, Err: &out, Width: 80, IsTerminal: terminal}}
		b := build.Builder{
			App:      opennext.App{Dir: t.TempDir(), Top: "/", PackageManager: "npm", Root: t.TempDir()},
			Settings: build.Settings{InstallCommand: "for i in $(seq 150); do echo line $i; done; exit 7"},
			Env:      []string{"PATH=/usr/bin:/bin"},
		}
		_, err := s.buildApp(t.Context(), b, newProgress(s))
		if anchor.CodeOf(err) != "build_failed" {
			t.Errorf("the build ended with %v", err)
		}
		for _, text := range test.shown {
			if strings.Count(out.String(), text) != 1 {
				t.Errorf("terminal %t: %q is not there once:\n%s", terminal, text, &out)
			}
		}
		for _, text := range test.hidden {
			if strings.Contains(out.String(), text) {
				t.Errorf("terminal %t: %q is there", terminal, text)
			}
		}
	}
}

// The output of a command that the build itself reads is not part of the log.
func TestBuildLog_Run_KeepsWhatIsRead(t *testing.T) {
	var lines []string
	log, err := openBuildLog(t.TempDir(), func(line string) { lines = append(lines, line) })
	if err != nil {
		t.Fatal(err)
	}
	defer log.file.Close()
	var out bytes.Buffer
	command := build.Command{Dir: t.TempDir(), Args: []string{"sh", "-c", "echo read; echo shown >&2"}, Env: []string{"PATH=/usr/bin:/bin"}, Out: &out}
	if err := log.run(context.Background(), command); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(lines); out.String() != "read\n" || !strings.HasSuffix(got, " shown]") || strings.Contains(got, "[read") {
		t.Errorf("read %q, shown %s", &out, got)
	}
}
