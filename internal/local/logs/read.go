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
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Last yields the last limit lines of a project that match, oldest first. It holds only their positions and one line in
// memory.
func (b *Book) Last(ctx context.Context, p anchor.ProjectID, filter anchor.LogFilter, limit int) iter.Seq2[anchor.LogLine, error] {
	f, err := b.fileOf(p)
	if err != nil {
		return failingSeq(err)
	}
	return func(yield func(anchor.LogLine, error) bool) {
		v, err := f.openView()
		if err == nil {
			defer v.close()
			err = v.lastLines(ctx, newMatcher(filter), limit, func(l anchor.LogLine) bool { return yield(l, nil) })
		}
		if err != nil {
			yield(anchor.LogLine{}, err)
		}
	}
}

// spot is where a line is.
type spot struct {
	in     *os.File
	at     int64
	length int
}

// lastLines finds the last limit lines, newest first, then yields them.
func (v view) lastLines(ctx context.Context, m *matcher, limit int, yield func(anchor.LogLine) bool) error {
	var spots []spot
	for _, in := range v.files {
		old, err := m.tooOld(in)
		if err != nil {
			return err
		}
		if old || len(spots) >= limit {
			break
		}
		err = scanBack(in, func(at int64, text []byte) bool {
			if _, ok := m.match(text); ok {
				spots = append(spots, spot{in, at, len(text)})
			}
			return len(spots) < limit && ctx.Err() == nil
		})
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
	for _, s := range slices.Backward(spots) {
		text := make([]byte, s.length)
		var l anchor.LogLine
		if _, err := s.in.ReadAt(text, s.at); err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if json.Unmarshal(text, &l) == nil && !yield(l) {
			return nil
		}
	}
	return nil
}

// Follow yields the lines that match of those appended after this call, until ctx ends.
func (b *Book) Follow(ctx context.Context, p anchor.ProjectID, filter anchor.LogFilter) iter.Seq2[anchor.LogLine, error] {
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
			next, more, err := f.linesSince(at, func(l anchor.LogLine) { fresh = append(fresh, l) })
			at = next
			for _, l := range fresh {
				if filter.Matches(&l) && !yield(l, nil) {
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
	current := v.files[0]
	if current == nil {
		return place{turns: v.turns}, nil
	}
	size, err := current.Seek(0, io.SeekEnd)
	return place{v.turns, size}, err
}

// linesSince calls line for every line after at. It returns the place after them, and the channel that
// closes when there are more.
func (f *file) linesSince(at place, line func(anchor.LogLine)) (place, <-chan struct{}, error) {
	v, err := f.openView()
	if err != nil {
		return at, nil, err
	}
	defer v.close()
	for at.turns < v.turns {
		if behind := v.turns - at.turns; behind < len(v.files) {
			if _, err := scanLines(v.files[behind], at.offset, line); err != nil {
				return at, nil, err
			}
		}
		at = place{turns: at.turns + 1}
	}
	at.offset, err = scanLines(v.files[0], at.offset, line)
	return at, v.more, err
}

// view is the files of a project at one moment, the current one first; a missing one is nil. A later turn renames the
// files and does not change their content.
type view struct {
	files []*os.File
	turns int
	more  <-chan struct{}
}

func (f *file) openView() (v view, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v.turns, v.more = f.turns, f.more
	for n := range f.kept + 1 {
		in, err := os.Open(f.asidePath(n))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			v.close()
			return v, fmt.Errorf("read the log: %w", err)
		}
		if err != nil {
			in = nil
		}
		v.files = append(v.files, in)
	}
	return v, nil
}

func (v view) close() {
	for _, in := range v.files {
		if in != nil {
			in.Close()
		}
	}
}

// scanLines calls line for every complete line from offset at and returns the offset after the last one.
// A nil file has no lines; a torn line, left by a crash, is skipped.
func scanLines(in *os.File, at int64, line func(anchor.LogLine)) (int64, error) {
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
		at += int64(len(text))
		var l anchor.LogLine
		if json.Unmarshal(text, &l) == nil {
			line(l)
		}
	}
}
