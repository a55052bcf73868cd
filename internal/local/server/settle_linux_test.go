package server

import (
	"os"
	"strings"
	"testing"
)

const smaps = `00400000-016c9000 r-xp 00000000 fe:00 10880341                           /opt/anchor
Size:              19236 kB
Rss:               17632 kB
Anonymous:             0 kB
016c9000-04eec000 r--p 012c9000 fe:00 10880341                           /opt/anchor
Anonymous:            16 kB
04eec000-0501c000 rw-p 04aec000 fe:00 10880341                           /opt/anchor
Anonymous:             0 kB
05100000-05200000 r--p 012c9000 fe:00 10880341                           /opt/anchor
Anonymous:             0 kB
05200000-05300000 r--s 012c9000 fe:00 10880341                           /opt/anchor
Anonymous:             0 kB
7fc32d290000-7fc32d510000 r--p 00000000 00:00 1                          /data/opt/anchor-other
Anonymous:             0 kB
7fc32d610000-7fc32d710000 rw-p 00000000 00:00 0
Anonymous:             0 kB
`

func TestReadOnlyMappings_OnlyUnchangedPagesOfTheProgram(t *testing.T) {
	got := readOnlyMappings(strings.NewReader(smaps), "/opt/anchor")
	want := []mapping{{0x400000, 0x16c9000}, {0x5100000, 0x5200000}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%x, want %x", got, want)
	}
}

// The program runs on as before, and less of it is in memory.
func TestUnmapProgram_Shrinks(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	if len(readOnlyMappings(strings.NewReader(string(text)), program)) == 0 {
		t.Fatal("the code of the program is not found")
	}
	unmapProgram()
	if strings.Repeat("still here", 2) != "still herestill here" {
		t.Error("a constant has changed")
	}
}
