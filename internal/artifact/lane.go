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

// createInLane creates a file for a new content.
func (s *Store) createInLane() (name string, file *os.File, err error) {
	l := &s.lanes
	l.mu.Lock() // until the file is there: an empty lane of the past is removed
	defer l.mu.Unlock()
	now := time.Now()
	if l.name == "" || l.files >= laneFiles || now.Sub(l.used) >= laneRest {
		if err := s.changeLane(); err != nil {
			return "", nil, err
		}
	}
	l.files++
	l.used = now
	name = l.name + "/" + tempName()
	file, err = os.OpenFile(s.joinPath(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	return name, file, err
}

// changeLane makes a new lane and removes those of the past that are empty. Callers hold lanes.mu.
func (s *Store) changeLane() error {
	l := &s.lanes
	next := incomingDir + "/" + rand.Text()
	if err := s.root.Mkdir(next, privateFolder); err != nil {
		return err
	}
	if l.name != "" {
		l.past = append(l.past, l.name)
	}
	l.name, l.files = next, 0
	l.past = slices.DeleteFunc(l.past, func(name string) bool {
		err := s.root.Remove(name) // fails while a content is arriving in it
		return err == nil || errors.Is(err, fs.ErrNotExist)
	})
	return nil
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
