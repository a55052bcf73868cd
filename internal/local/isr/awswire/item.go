package awswire

import (
	"encoding/json"
	"maps"
	"strconv"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// value is a DynamoDB attribute value of the two types that keys of the tag table have.
type value struct {
	S *string `json:"S,omitempty"`
	N *string `json:"N,omitempty"`
}

func (v value) textOf(name string) (string, error) {
	if v.S == nil || *v.S == "" {
		return "", validationError("The value of %s must be a string (S) and not empty.", name)
	}
	return *v.S, nil
}

func (v value) numberOf(name string) (int64, error) {
	if v.N == nil {
		return 0, validationError("The value of %s must be a number (N).", name)
	}
	n, err := strconv.ParseInt(*v.N, 10, 64)
	if err != nil {
		return 0, validationError("The value of %s must be a whole number of milliseconds, not %q.", name, *v.N)
	}
	return n, nil
}

// item is a row of the tag table on the wire. Attributes besides the three known ones are kept
// unchanged.
type item map[string]json.RawMessage

func (i item) valueOf(name string) (value, error) {
	var v value
	raw, ok := i[name]
	if !ok {
		return v, validationError("The attribute %s is missing.", name)
	}
	return v, decodeBody(raw, &v)
}

func (i item) textOf(name string) (string, error) {
	v, err := i.valueOf(name)
	if err != nil {
		return "", err
	}
	return v.textOf(name)
}

func (i item) tagKey() (isr.TagKey, error) {
	tag, err := i.textOf("tag")
	if err != nil {
		return isr.TagKey{}, err
	}
	path, err := i.textOf("path")
	return isr.TagKey{Tag: tag, Path: path}, err
}

// onlyKey is key for requests that name a row, where further attributes are an error.
func (i item) onlyKey() (isr.TagKey, error) {
	if len(i) != 2 {
		return isr.TagKey{}, validationError("The provided key element does not match the schema: tag and path.")
	}
	return i.tagKey()
}

func (i item) tagRow() (isr.TagRow, error) {
	key, err := i.tagKey()
	if err != nil {
		return isr.TagRow{}, err
	}
	row := isr.TagRow{Tag: key.Tag, Path: key.Path}
	if _, ok := i["revalidatedAt"]; ok {
		v, err := i.valueOf("revalidatedAt")
		if err != nil {
			return row, err
		}
		if row.RevalidatedAt, err = v.numberOf("revalidatedAt"); err != nil {
			return row, err
		}
	}
	row.Extra = maps.Clone(i)
	for _, known := range []string{"tag", "path", "revalidatedAt"} {
		delete(row.Extra, known)
	}
	return row, nil
}

func itemOf(row isr.TagRow) map[string]any {
	i := make(map[string]any, 3+len(row.Extra))
	for name, raw := range row.Extra {
		i[name] = raw
	}
	i["tag"], i["path"] = value{S: &row.Tag}, value{S: &row.Path}
	if row.RevalidatedAt != 0 {
		n := strconv.FormatInt(row.RevalidatedAt, 10)
		i["revalidatedAt"] = value{N: &n}
	}
	return i
}

func itemsOf(rows []isr.TagRow) []map[string]any {
	items := make([]map[string]any, 0, len(rows))
	for _, row := range rows {
		items = append(items, itemOf(row))
	}
	return items
}
