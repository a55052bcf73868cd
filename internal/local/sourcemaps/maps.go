// Package sourcemaps translates positions in the files of a build to those in its sources, by the source maps that lie beside the files or in
// them (ECMA-426). Maps are read when a position is asked for, and a bounded number of them is kept.
package sourcemaps

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-sourcemap/sourcemap"
)

const (
	// maxFile is how large a map, or a file with a map in it, may be.
	maxFile = 32 << 20
	// maxMappings is how many octets of mappings are kept. One takes some six times as much when it is read, so 50 MiB in all.
	maxMappings = 8 << 20
	// maxKept is how many maps are kept, those of files without one included.
	maxKept = 64
)

// Position is a place in a file. Line and Column count from 1.
type Position struct {
	File         string
	Line, Column int
	// Name is the original name at a position in a source, "" when the map has none.
	Name string
}

// Maps is a cache of maps. It is safe for concurrent use; the zero value is ready.
type Maps struct {
	mu   sync.Mutex
	kept []*entry // the one used last comes first
}

// entry is the map of a file; without one, consumer is nil.
type entry struct {
	dir, file string
	consumer  *sourcemap.Consumer
	size      int // of the mappings
}

// Original returns where a position in a file below dir comes from; false when that is not known. The name of the file may come from an app: nothing
// outside of dir is read.
func (m *Maps) Original(dir string, at Position) (Position, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.find(dir, at.File)
	if e.consumer == nil {
		return Position{}, false
	}
	source, name, line, column, ok := e.consumer.Source(at.Line, at.Column-1)
	if !ok || source == "" {
		return Position{}, false
	}
	return Position{File: sourceName(source), Line: line, Column: column + 1, Name: name}, true
}

// find returns the kept map of a file, or reads it. A file that cannot be read has none.
func (m *Maps) find(dir, file string) *entry {
	for i, e := range m.kept {
		if e.dir == dir && e.file == file {
			m.kept = slices.Insert(slices.Delete(m.kept, i, i+1), 0, e)
			return e
		}
	}
	e := &entry{dir: dir, file: file}
	if consumer, size, err := read(dir, file); err == nil {
		e.consumer, e.size = consumer, size
	}
	m.kept = slices.Insert(m.kept, 0, e)
	total := 0
	for i, kept := range m.kept {
		if total += kept.size; i > 0 && total > maxMappings || i >= maxKept {
			m.kept = slices.Delete(m.kept, i, len(m.kept))
			break
		}
	}
	return e
}

func read(dir, file string) (*sourcemap.Consumer, int, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	text, err := readFile(root, file+".map")
	if err != nil {
		if text, err = inline(root, file); err != nil {
			return nil, 0, err
		}
	}
	return parse(text)
}

func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a file of up to %d MiB", name, maxFile>>20)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// inline returns the map that a file has in its last comment as a data URL.
func inline(root *os.Root, file string) ([]byte, error) {
	text, err := readFile(root, file)
	if err != nil {
		return nil, err
	}
	_, url, ok := cutLast(text, []byte("//# sourceMappingURL=data:application/json"))
	_, encoded, isBase64 := bytes.Cut(url, []byte("base64,"))
	if !ok || !isBase64 {
		return nil, errors.New("the file has no map")
	}
	return base64.StdEncoding.DecodeString(string(bytes.TrimSpace(encoded)))
}

func cutLast(text, sep []byte) (before, after []byte, found bool) {
	if i := bytes.LastIndex(text, sep); i >= 0 {
		return text[:i], text[i+len(sep):], true
	}
	return text, nil, false
}

// parse reads a map without the sources that it may contain.
func parse(text []byte) (*sourcemap.Consumer, int, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, 0, err
	}
	delete(members, "sourcesContent")
	size := len(members["mappings"]) + len(members["sections"])
	if size > maxMappings {
		return nil, 0, fmt.Errorf("the map has more than %d MiB of mappings", maxMappings>>20)
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, 0, err
	}
	consumer, err := sourcemap.Parse("", text)
	return consumer, size, err
}

// bundlers are what webpack and Turbopack put before the path of a source: webpack://NAME/./lib/a.js, turbopack:///[project]/lib/a.js.
var bundlers = regexp.MustCompile(`^(?:webpack|turbopack)://[^/]*/(?:\[[^\]]*\]/)?`)

// sourceName returns the path of a source in its project, the same in each build.
func sourceName(source string) string {
	source, _, _ = strings.Cut(bundlers.ReplaceAllString(source, ""), "?")
	return path.Clean("/" + strings.TrimPrefix(source, "file://"))[1:]
}
