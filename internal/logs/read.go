package logs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Read gives the last limit lines of a project, oldest first; of one deployment
// when d is not empty.
func (b *Book) Read(_ context.Context, p anchor.ProjectID, d anchor.DeploymentID, limit int) ([]Line, error) {
	f, err := b.file(p)
	if err != nil {
		return nil, err
	}
	var lines []Line
	keep := func(l Line) {
		if d != "" && l.DeploymentID != d {
			return
		}
		if lines = append(lines, l); len(lines) >= 2*limit {
			lines = append(lines[:0], lines[len(lines)-limit:]...)
		}
	}
	for _, path := range []string{f.aside(), f.path} {
		if _, err := scan(path, 0, keep); err != nil {
			return nil, err
		}
	}
	return lines[max(0, len(lines)-limit):], nil
}

// Follow gives the lines appended from now on until ctx ends.
func (b *Book) Follow(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		f, err := b.file(p)
		if err != nil {
			yield(Line{}, err)
			return
		}
		at := sizeOf(f.path)
		for {
			more := f.next()
			if sizeOf(f.path) < at {
				at = 0 // set aside meanwhile
			}
			var fresh []Line
			at, err = scan(f.path, at, func(l Line) { fresh = append(fresh, l) })
			if err != nil {
				yield(Line{}, err)
				return
			}
			for _, l := range fresh {
				if (d == "" || l.DeploymentID == d) && !yield(l, nil) {
					return
				}
			}
			select {
			case <-more:
			case <-ctx.Done():
				return
			}
		}
	}
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// scan calls line for every whole line from offset at and gives the offset after
// the last. A file that is not there has no lines; a torn line, left by a crash, is
// passed over.
func scan(path string, at int64, line func(Line)) (int64, error) {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return at, nil
	}
	if err != nil {
		return at, fmt.Errorf("read the log: %w", err)
	}
	defer in.Close()
	if _, err := in.Seek(at, io.SeekStart); err != nil {
		return at, fmt.Errorf("read the log: %w", err)
	}
	for r := bufio.NewReaderSize(in, 64<<10); ; {
		text, err := r.ReadBytes('\n')
		if err == io.EOF {
			return at, nil
		}
		if err != nil {
			return at, fmt.Errorf("read the log: %w", err)
		}
		at += int64(len(text))
		var l Line
		if json.Unmarshal(text, &l) == nil {
			line(l)
		}
	}
}
