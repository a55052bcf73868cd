package awswire

import (
	"encoding/json"
	"math"
	"net/http"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// The limits of the DynamoDB API reference.
const (
	maxBatchWrite = 25
	maxBatchGet   = 100
)

// metering holds the fields that requests may contain without changing the answer.
type metering struct {
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}

type queryInput struct {
	metering
	TableName                 string
	IndexName                 string
	KeyConditionExpression    string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]value
	ConsistentRead            bool
}

type queryOutput struct {
	Items               []map[string]any
	Count, ScannedCount int
}

func (h *handler) handleQuery(r *http.Request, ns string, body []byte) (any, error) {
	var in queryInput
	if err := decodeBody(body, &in); err != nil {
		return nil, err
	}
	if err := checkTable(in.TableName); err != nil {
		return nil, err
	}
	c, err := parseCondition(in.KeyConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	if err != nil {
		return nil, err
	}
	rows, err := h.readRows(r, ns, in, c)
	if err != nil {
		return nil, err
	}
	return queryOutput{Items: itemsOf(rows), Count: len(rows), ScannedCount: len(rows)}, nil
}

// readRows runs the read that a condition requires. All rows come in one page: OpenNext does not ask
// for a second.
func (h *handler) readRows(r *http.Request, ns string, in queryInput, c condition) ([]isr.TagRow, error) {
	hash, err := c.hashValue.textOf(c.hash)
	if err != nil {
		return nil, err
	}
	switch {
	case in.IndexName == "" && c.hash == "tag" && c.sort == "":
		return h.Store.ByTag(r.Context(), ns, hash)
	case in.IndexName == "" && c.hash == "tag" && c.sort == "path" && c.op == "=":
		path, err := c.sortValue.textOf(c.sort)
		if err != nil {
			return nil, err
		}
		return h.Store.Tags(r.Context(), ns, []isr.TagKey{{Tag: hash, Path: path}})
	case in.IndexName == TagIndex && c.hash == "path" && c.sort == "":
		return h.Store.ByPath(r.Context(), ns, hash, math.MinInt64)
	case in.IndexName == TagIndex && c.hash == "path" && c.sort == "revalidatedAt" && c.op == ">":
		after, err := c.sortValue.numberOf(c.sort)
		if err != nil {
			return nil, err
		}
		rows, err := h.Store.ByPath(r.Context(), ns, hash, after)
		hideExpiryAhead(rows, time.Now())
		return rows, err
	}
	return nil, validationError("Query condition missed key schema element: index %q with the expression %q is none that OpenNext sends.",
		in.IndexName, in.KeyConditionExpression)
}

type getItemInput struct {
	metering
	TableName      string
	Key            item
	ConsistentRead bool
}

func (h *handler) getItem(r *http.Request, ns string, body []byte) (any, error) {
	var in getItemInput
	if err := decodeBody(body, &in); err != nil {
		return nil, err
	}
	if err := checkTable(in.TableName); err != nil {
		return nil, err
	}
	key, err := in.Key.onlyKey()
	if err != nil {
		return nil, err
	}
	rows, err := h.Store.Tags(r.Context(), ns, []isr.TagKey{key})
	if err != nil || len(rows) == 0 {
		return struct{}{}, err
	}
	return map[string]any{"Item": itemOf(rows[0])}, nil
}

type putItemInput struct {
	metering
	TableName string
	Item      item
}

func (h *handler) putItem(r *http.Request, ns string, body []byte) (any, error) {
	var in putItemInput
	if err := decodeBody(body, &in); err != nil {
		return nil, err
	}
	if err := checkTable(in.TableName); err != nil {
		return nil, err
	}
	row, err := in.Item.tagRow()
	if err != nil {
		return nil, err
	}
	return struct{}{}, h.Store.WriteTags(r.Context(), ns, []isr.TagRow{row}, nil)
}

type batchGetInput struct {
	metering
	RequestItems map[string]struct {
		Keys           []item
		ConsistentRead bool
	}
}

func (h *handler) batchGetItem(r *http.Request, ns string, body []byte) (any, error) {
	var in batchGetInput
	if err := decodeBody(body, &in); err != nil {
		return nil, err
	}
	if err := checkOneTable(in.RequestItems); err != nil {
		return nil, err
	}
	keys, err := in.tagKeys()
	if err != nil {
		return nil, err
	}
	rows, err := h.Store.Tags(r.Context(), ns, keys)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Responses": map[string]any{Table: itemsOf(rows)}, "UnprocessedKeys": struct{}{}}, nil
}

func (in batchGetInput) tagKeys() ([]isr.TagKey, error) {
	requested := in.RequestItems[Table].Keys
	if len(requested) < 1 || len(requested) > maxBatchGet {
		return nil, validationError("Too many items requested for the BatchGetItem call: %d, 1 to %d are allowed.", len(requested), maxBatchGet)
	}
	keys := make([]isr.TagKey, 0, len(requested))
	for _, i := range requested {
		key, err := i.onlyKey()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, checkDistinct(keys)
}

func checkTable(name string) error {
	if name == Table {
		return nil
	}
	return &apiError{http.StatusBadRequest, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
		"Requested resource not found: the tag table is named " + Table + ", not " + name}
}

func checkOneTable[T any](requests map[string]T) error {
	if len(requests) != 1 {
		return validationError("One table can be named in RequestItems, %s; this request names %d.", Table, len(requests))
	}
	for name := range requests {
		return checkTable(name)
	}
	return nil
}

func checkDistinct(keys []isr.TagKey) error {
	seen := make(map[isr.TagKey]bool, len(keys))
	for _, k := range keys {
		if seen[k] {
			return validationError("Provided list of item keys contains duplicates")
		}
		seen[k] = true
	}
	return nil
}

// hideExpiryAhead makes all of OpenNext's tag caches treat tags that may be served stale for a
// while, as after revalidateTag(tag, "max"), in that way. An entry is rendered again at once if
// getLastModified counts one of the rows; otherwise it is stale if there is any (isStale; both see
// one answer). The SDK's tag cache (overrides/tagCache/dynamodb.js of 4.1) counts a row that
// expires later than now, against its own intent and unlike dynamodb-lite.js; neither counts an
// expiry before the entry.
func hideExpiryAhead(rows []isr.TagRow, now time.Time) {
	for i, row := range rows {
		var expire value
		raw, ok := row.Extra["expire"]
		if !ok || json.Unmarshal(raw, &expire) != nil {
			continue
		}
		if at, err := expire.numberOf("expire"); err == nil && at > now.UnixMilli() {
			rows[i].Extra["expire"] = json.RawMessage(`{"N":"0"}`)
		}
	}
}
