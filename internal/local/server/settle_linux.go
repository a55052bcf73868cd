package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// unmapProgram unmaps the pages of this program's code and constants. They are read from its file again when they are used.
func unmapProgram() {
	program, err := os.Executable()
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range readOnlyMappings(bytes.NewReader(maps), program) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.begin, m.end-m.begin, unix.MADV_DONTNEED); errno != 0 {
			slog.Debug("unmap pages of the program", "error", errno)
		}
	}
}

// mapping is a range of addresses.
type mapping struct{ begin, end uintptr }

// readOnlyMappings returns what /proc/self/smaps (proc_pid_smaps(5)) lists of a file that nobody can write to, and of
// which this process has no pages of its own: a loader that has written to some has changed them for this process.
func readOnlyMappings(smaps io.Reader, file string) (all []mapping) {
	var current mapping
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && !strings.HasSuffix(fields[0], ":"):
			current = mapping{}
			readable := strings.HasPrefix(fields[1], "r-") && strings.HasSuffix(fields[1], "p")
			if _, err := fmt.Sscanf(fields[0], "%x-%x", &current.begin, &current.end); err != nil || !readable || !strings.HasSuffix(lines.Text(), " "+file) {
				current = mapping{}
			}
		case len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0" && current.end > current.begin:
			all = append(all, current)
		}
	}
	return all
}
