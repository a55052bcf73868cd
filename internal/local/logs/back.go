package logs

import (
	"bytes"
	"fmt"
	"os"
)

// block is how many bytes scanBack reads at once.
const block = 256 << 10

// scanBack calls line for the complete lines of a file from the last to the first, with the offset at which each begins and
// its text without the line feed, which is valid until line returns. False ends the scan. A nil file has no lines.
func scanBack(in *os.File, line func(at int64, text []byte) bool) error {
	if in == nil {
		return nil
	}
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	var held []byte // from offset at: what was read and not passed on, all before the line feed of the last line
	at, complete := info.Size(), false
	for at > 0 {
		n := min(at, block)
		at -= n
		part := make([]byte, n, n+int64(len(held)))
		if _, err := in.ReadAt(part, at); err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		fresh := len(part) // the held bytes have no line feed
		held = append(part, held...)
		for end := fresh; ; {
			feed := bytes.LastIndexByte(held[:end], '\n')
			if feed < 0 {
				break
			}
			text := held[feed+1:]
			held, end = held[:feed], feed
			// What follows the last line feed of the file is not complete.
			if complete && !line(at+int64(feed)+1, text) {
				return nil
			}
			complete = true
		}
	}
	if complete {
		line(0, held)
	}
	return nil
}
