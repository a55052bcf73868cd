//go:build unix

package worker

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// pipeSize bounds what can lie in a pipe unread (pipe(7), /proc/sys/fs/pipe-max-size), so that a stray process which
// goes on writing cannot keep its reader.
const pipeSize = 1 << 20

// rest reads a pipe to its end or, once expireReads has cut that short, to the end of what lies in it: on a busy
// machine the last words of a process may not have been read by then, and they say why it ended.
type rest struct {
	file *os.File
	late int // octets read after the deadline
}

// Read implements io.Reader.
func (r *rest) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	raw, err := r.file.SyscallConn()
	if err != nil || r.late >= pipeSize {
		return 0, io.EOF
	}
	// Read and RawConn.Read heed the deadline; the descriptor does not block.
	if err := raw.Control(func(fd uintptr) { n, _ = syscall.Read(int(fd), p) }); err != nil || n <= 0 {
		return 0, io.EOF
	}
	r.late += n
	return n, nil
}
