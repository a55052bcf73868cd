package asset_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
)

// halving is a DynamoDB that accepts the first half of every batch and returns the rest as
// unprocessed, like a throttled one. No emulator does that.
type halving struct {
	next   sdk.HTTPClient
	handed atomic.Int64
}

func (h *halving) left() int64 { return h.handed.Load() }

func (h *halving) Do(r *http.Request) (*http.Response, error) {
	if r.Header.Get("X-Amz-Target") != "DynamoDB_20120810.BatchWriteItem" {
		return h.next.Do(r)
	}
	var in struct {
		RequestItems map[string][]json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	rest := map[string][]json.RawMessage{}
	for table, writes := range in.RequestItems {
		if half := (len(writes) + 1) / 2; half < len(writes) {
			rest[table], in.RequestItems[table] = writes[half:], writes[:half]
			h.handed.Add(int64(len(writes) - half))
		}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res, err := h.next.Do(r)
	if err != nil || res.StatusCode != http.StatusOK || len(rest) == 0 {
		return res, err
	}
	res.Body.Close()
	answer, err := json.Marshal(map[string]any{"UnprocessedItems": rest})
	if err != nil {
		return nil, err
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(answer)), int64(len(answer))
	res.Header.Del("X-Amz-Crc32")
	res.Header.Del("Content-Length")
	return res, nil
}
