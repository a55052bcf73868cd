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

// Last yields the last limit lines of a project, oldest first; of one deployment when d is not
// empty. It holds only their positions and one line in memory.
func (b *Book) Last(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, limit int) iter.Seq2[anchor.LogLine, error] {
	f, err := b.fileOf(p)
	if err != nil {
		return failingSeq(err)
	}
	return func(yield func(anchor.LogLine, error) bool) {
		v, err := f.openView()
		if err == nil {
			defer v.close()
			err = v.lastLines(ctx, d, limit, func(l anchor.LogLine) bool { return yield(l, nil) })
		}
		if err != nil {
			yield(anchor.LogLine{}, err)
		}
	}
}

// spot is where a line begins.
type spot struct {
	in *os.File
	at int64
}

// lastLines finds where the last limit lines begin, then yields them.
func (v view) lastLines(ctx context.Context, d anchor.DeploymentID, limit int, yield func(anchor.LogLine) bool) error {
	if limit <= 0 {
		return nil
	}
	var spots []spot // of the lines that may be among the last
	for _, in := range []*os.File{v.aside, v.current} {
		_, err := scanLines(in, 0, func(at int64, l anchor.LogLine) bool {
			if d == "" || l.DeploymentID == d {
				spots = append(spots, spot{in, at})
			}
			if len(spots) >= 2*limit {
				spots = append(spots[:0], spots[len(spots)-limit:]...)
			}
			return ctx.Err() == nil
		})
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
	spots = spots[max(0, len(spots)-limit):]
	if len(spots) == 0 {
		return nil
	}
	first, left := spots[0], len(spots)
	each := func(_ int64, l anchor.LogLine) bool {
		if d != "" && l.DeploymentID != d {
			return true
		}
		if left--; !yield(l) {
			left = 0
		}
		return left > 0 // lines written since the first look are not wanted
	}
	if _, err := scanLines(first.in, first.at, each); err != nil || left == 0 || first.in == v.current {
		return err
	}
	_, err := scanLines(v.current, 0, each)
	return err
}

// Follow yields the lines appended after this call until ctx ends.
func (b *Book) Follow(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) iter.Seq2[anchor.LogLine, error] {
	f, err := b.fileOf(p)
	if err != nil {
		return failingSeq(err)
	}
	begin, err := f.endPlace()
	if err != nil {
		return failingSeq(err)
	}
	return func(yield func(anchor.LogLine, error) bool) {
		for at := begin; ; {
			var fresh []anchor.LogLine
			next, more, err := f.linesSince(at, func(_ int64, l anchor.LogLine) bool { fresh = append(fresh, l); return true })
			at = next
			for _, l := range fresh {
				if (d == "" || l.DeploymentID == d) && !yield(l, nil) {
					return
				}
			}
			if err != nil {
				yield(anchor.LogLine{}, err)
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
				return
			}
		}
	}
}

func failingSeq(err error) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) { yield(anchor.LogLine{}, err) }
}

// place is how far a follower has read: up to offset of the file that was current after that number
// of turns.
type place struct {
	turns  int
	offset int64
}

// endPlace returns the place after the last line.
func (f *file) endPlace() (place, error) {
	v, err := f.openView()
	if err != nil {
		return place{}, err
	}
	defer v.close()
	if v.current == nil {
		return place{turns: v.turns}, nil
	}
	size, err := v.current.Seek(0, io.SeekEnd)
	return place{v.turns, size}, err
}

// linesSince calls line for every line after at. It returns the place after them, and the channel that
// closes when there are more.
func (f *file) linesSince(at place, line eachLine) (place, <-chan struct{}, error) {
	v, err := f.openView()
	if err != nil {
		return at, nil, err
	}
	defer v.close()
	if v.turns == at.turns+1 {
		if _, err := scanLines(v.aside, at.offset, line); err != nil {
			return at, nil, err
		}
	}
	if v.turns != at.turns {
		at = place{turns: v.turns}
	}
	at.offset, err = scanLines(v.current, at.offset, line)
	return at, v.more, err
}

// view is both files of a project at one moment; a missing one is nil. A later turn renames the
// files and does not change their content.
type view struct {
	aside, current *os.File
	turns          int
	more           <-chan struct{}
}

func (f *file) openView() (v view, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v.turns, v.more = f.turns, f.more
	if v.aside, err = openIfThere(f.asidePath()); err != nil {
		return v, err
	}
	if v.current, err = openIfThere(f.path); err != nil {
		v.close()
	}
	return v, err
}

func openIfThere(path string) (*os.File, error) {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return in, nil
}

func (v view) close() {
	for _, in := range []*os.File{v.aside, v.current} {
		if in != nil {
			in.Close()
		}
	}
}

// eachLine is called with a line and the offset at which it begins; false ends the scan.
type eachLine func(at int64, l anchor.LogLine) bool

// scanLines calls line for every complete line from offset at and returns the offset after the last one.
// A nil file has no lines; a torn line, left by a crash, is skipped.
func scanLines(in *os.File, at int64, line eachLine) (int64, error) {
	if in == nil {
		return at, nil
	}
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
		begin := at
		at += int64(len(text))
		var l anchor.LogLine
		if json.Unmarshal(text, &l) == nil && !line(begin, l) {
			return at, nil
		}
	}
}
