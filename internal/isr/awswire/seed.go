package awswire

import (
	"encoding/json"
	"fmt"
	"io"
	"path"

	"github.com/anchor-deploy/anchor/internal/isr"
)

// SeedKey is the object key under which bundles look for a file of the build's cache folder. rel is its path
// below .open-next/cache, with slashes.
func SeedKey(rel string) string { return path.Join(CachePrefix, rel) }

// ReadTagRows reads the tag rows of a build from its dynamodb-provider/dynamodb-cache.json: a JSON array of items of the tag table.
func ReadTagRows(r io.Reader) ([]isr.TagRow, error) {
	var items []item
	if err := json.NewDecoder(r).Decode(&items); err != nil {
		return nil, fmt.Errorf("read the build's tags: not a JSON array of items: %w", err)
	}
	rows := make([]isr.TagRow, 0, len(items))
	for n, i := range items {
		row, err := i.row()
		if err != nil {
			return nil, fmt.Errorf("read the build's tags: item %d: %w", n, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}
