package awswire

import (
	"net/http"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

type batchWriteInput struct {
	metering
	RequestItems map[string][]writeRequest
}

type writeRequest struct {
	PutRequest    *struct{ Item item }
	DeleteRequest *struct{ Key item }
}

func (h *handler) batchWriteItem(r *http.Request, ns string, body []byte) (any, error) {
	var in batchWriteInput
	if err := decodeBody(body, &in); err != nil {
		return nil, err
	}
	if err := checkOneTable(in.RequestItems); err != nil {
		return nil, err
	}
	put, remove, err := splitWrites(in.RequestItems[Table])
	if err != nil {
		return nil, err
	}
	if err := h.Store.WriteTags(r.Context(), ns, put, remove); err != nil {
		return nil, err
	}
	return map[string]any{"UnprocessedItems": struct{}{}}, nil
}

func splitWrites(requests []writeRequest) (put []isr.TagRow, remove []isr.TagKey, err error) {
	if len(requests) < 1 || len(requests) > maxBatchWrite {
		return nil, nil, validationError("Too many items requested for the BatchWriteItem call: %d, 1 to %d are allowed.", len(requests), maxBatchWrite)
	}
	keys := make([]isr.TagKey, 0, len(requests))
	for _, w := range requests {
		switch {
		case w.PutRequest != nil && w.DeleteRequest == nil:
			row, err := w.PutRequest.Item.tagRow()
			if err != nil {
				return nil, nil, err
			}
			put, keys = append(put, row), append(keys, isr.TagKey{Tag: row.Tag, Path: row.Path})
		case w.DeleteRequest != nil && w.PutRequest == nil:
			key, err := w.DeleteRequest.Key.onlyKey()
			if err != nil {
				return nil, nil, err
			}
			remove, keys = append(remove, key), append(keys, key)
		default:
			return nil, nil, validationError("Each write is one PutRequest or one DeleteRequest.")
		}
	}
	return put, remove, checkDistinct(keys)
}
