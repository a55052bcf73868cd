//go:build unix

package worker

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// pipeSize bounds the unread octets of a pipe (pipe(7), /proc/sys/fs/pipe-max-size), so that a
// stray process that continues to write cannot keep its reader.
const pipeSize = 1 << 20

// drainingReader reads a pipe to its end. Once expireReads has cut that short, it reads what is
// already in the pipe: on a busy machine the last log lines of a process may still be unread, and
// they say why it ended.
type drainingReader struct {
	file *os.File
	late int // octets read after the deadline
}

// Read implements io.Reader.
func (r *drainingReader) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	raw, err := r.file.SyscallConn()
	if err != nil || r.late >= pipeSize {
		return 0, io.EOF
	}
	// Read and RawConn.Read respect the deadline; the descriptor does not block.
	if err := raw.Control(func(fd uintptr) { n, _ = syscall.Read(int(fd), p) }); err != nil || n <= 0 {
		return 0, io.EOF
	}
	r.late += n
	return n, nil
}
