package opennext

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// TagRow is one row of the tag table that a build begins with: the entry at Path has
// the tag Tag. Both begin with the build's id and a slash.
type TagRow struct {
	Tag           string
	Path          string
	RevalidatedAt int64 // Unix milliseconds; 1 for "never"
}

// For returns the row as the functions of b look it up: under the deploymentId, where
// next.config sets one and the build wrote BUILD_ID (see CacheFiles).
func (t TagRow) For(b anchor.Build) TagRow {
	if rest, found := strings.CutPrefix(t.Tag, b.BuildID+"/"); found {
		t.Tag = b.CacheBuild + "/" + rest
	}
	if rest, found := strings.CutPrefix(t.Path, b.BuildID+"/"); found {
		t.Path = b.CacheBuild + "/" + rest
	}
	return t
}

// The most that Tags takes: rows, and bytes of a row's JSON file in all.
const (
	maxTagRows  = 2_000_000
	maxTagBytes = 1 << 30
)

// TagsOf returns the rows that the tag table of a build begins with, none when the build has no
// tags or no tag cache.
func TagsOf(tree fs.FS, b anchor.Build) ([]TagRow, error) {
	if b.TagsFile == "" {
		return nil, nil
	}
	in, err := tree.Open(b.TagsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the tags of the build: %w", err)
	}
	defer in.Close()
	return Tags(in)
}

// Tags reads dynamodb-cache.json: a list of DynamoDB items
// {"tag":{"S":…},"path":{"S":…},"revalidatedAt":{"N":…}} (createAssets.js). It returns
// duplicate rows once.
func Tags(r io.Reader) ([]TagRow, error) {
	decoder := json.NewDecoder(bufio.NewReaderSize(io.LimitReader(r, maxTagBytes), 64<<10))
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return nil, badTags("does not begin a list", err)
	}
	var rows []TagRow
	seen := map[[2]string]bool{}
	for decoder.More() {
		if len(rows) == maxTagRows {
			return nil, anchor.TooLarge("too_many_tags", "%s has more than %d rows", tagsFile, maxTagRows).
				Hintf("Prerender fewer pages, or set dangerous.disableTagCache in open-next.config.ts.")
		}
		row, err := readRow(decoder)
		if err != nil {
			return nil, badTags(fmt.Sprintf("has a bad row after %d good ones", len(rows)), err)
		}
		if key := [2]string{row.Tag, row.Path}; !seen[key] {
			seen[key] = true
			rows = append(rows, row)
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, badTags(fmt.Sprintf("breaks off after %d rows", len(rows)), err)
	}
	return rows, nil
}

func readRow(decoder *json.Decoder) (TagRow, error) {
	var item struct {
		Tag           struct{ S string } `json:"tag"`
		Path          struct{ S string } `json:"path"`
		RevalidatedAt struct{ N string } `json:"revalidatedAt"`
	}
	if err := decoder.Decode(&item); err != nil {
		return TagRow{}, err
	}
	if item.Tag.S == "" || item.Path.S == "" {
		return TagRow{}, fmt.Errorf("the row needs a tag and a path, and has %q and %q", item.Tag.S, item.Path.S)
	}
	at, err := strconv.ParseInt(item.RevalidatedAt.N, 10, 64)
	if err != nil {
		return TagRow{}, fmt.Errorf("revalidatedAt of the tag %q: %w", item.Tag.S, err)
	}
	return TagRow{Tag: item.Tag.S, Path: item.Path.S, RevalidatedAt: at}, nil
}

func badTags(what string, err error) error {
	return anchor.Invalid("bad_tags", "%s %s", tagsFile, what).Because(err).Hintf(buildAgain)
}
