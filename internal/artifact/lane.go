package artifact

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"
)

// lanes are folders in incoming, one after the other, in which contents are written before they get
// their names. ext4 puts a file's inode into the block group of its folder, and passes over each
// inode there that was freed within the last minutes: in a folder that stays the same, thousands of
// files after a removal of thousands take most of a deploy's processor time. A new lane is in a
// group of its own (spreadFolders).
type lanes struct {
	mu    sync.Mutex
	name  string // of the present one; "" before the first
	files int    // that were made in it
	used  time.Time
	past  []string // not removed yet
}

const (
	laneFiles = 2048        // a group of ext4 usually has 8192 inodes
	laneRest  = time.Minute // without a new content, after which removals may have followed
)

// takeLane returns the folder for a new file.
func (s *Store) takeLane() (string, error) {
	l := &s.lanes
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.name == "" || l.files >= laneFiles || now.Sub(l.used) >= laneRest {
		next := incomingDir + "/" + rand.Text()
		if err := s.root.Mkdir(next, privateFolder); err != nil {
			return "", diskError(err, "make the folder %s", s.joinPath(next))
		}
		if l.name != "" {
			l.past = append(l.past, l.name)
		}
		l.name, l.files = next, 0
		l.past = slices.DeleteFunc(l.past, func(name string) bool {
			err := s.root.Remove(name) // fails while a file is being written in it
			return err == nil || errors.Is(err, fs.ErrNotExist)
		})
	}
	l.files++
	l.used = now
	return l.name, nil
}

// moveNew gives a file another name, which must be free: else its error is fs.ErrExist.
func moveNew(from, to string) error {
	if err := renameNew(from, to); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
