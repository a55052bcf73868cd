package dynamo

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// item is what DynamoDB stores under one key.
type item = map[string]types.AttributeValue

// The attributes that several kinds of items have.
const (
	recordAttr   = "record"   // the record, by its JSON names
	revisionAttr = "revision" // compared by conditional writes
	idAttr       = "id"       // the id the item names
)

func stringValue[T ~string](s T) types.AttributeValue {
	return &types.AttributeValueMemberS{Value: string(s)}
}
func numberValue(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
func bytesValue(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

// strOf returns a text, or "" when the item has no such attribute.
func strOf(it item, name string) string {
	if s, ok := it[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// numOf returns a number, or 0 when the item has no such attribute.
func numOf(it item, name string) int64 {
	if n, ok := it[name].(*types.AttributeValueMemberN); ok {
		if v, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return v
		}
	}
	return 0
}

// binOf returns bytes, or nil when the item has no such attribute.
func binOf(it item, name string) []byte {
	if b, ok := it[name].(*types.AttributeValueMemberB); ok {
		return b.Value
	}
	return nil
}

// mapOf returns a map, or nil when the item has no such attribute.
func mapOf(it item, name string) item {
	if m, ok := it[name].(*types.AttributeValueMemberM); ok {
		return m.Value
	}
	return nil
}

// encodeRecord converts v to a map by its JSON names.
func encodeRecord(v any) (types.AttributeValue, error) {
	return attributevalue.MarshalWithOptions(v, func(o *attributevalue.EncoderOptions) { o.TagKey = "json" })
}

// decodeRecord reads what encodeRecord wrote.
func decodeRecord[T any](it item) (v T, err error) {
	err = attributevalue.UnmarshalWithOptions(it[recordAttr], &v, func(o *attributevalue.DecoderOptions) { o.TagKey = "json" })
	if err != nil {
		return v, fmt.Errorf("read the item %s / %s: %w", strOf(it, pk), strOf(it, sk), err)
	}
	return v, nil
}

// decodeRecords reads all of the items. The result is never nil.
func decodeRecords[T any](items []item, read func(item) (T, error)) ([]T, error) {
	all := make([]T, 0, len(items))
	for _, it := range items {
		v, err := read(it)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func (a address) keyItem() item { return item{pk: stringValue(a.pk), sk: stringValue(a.sk)} }

func keyOf(it item) item { return item{pk: it[pk], sk: it[sk]} }

// keySuffix returns what follows the first "#" of the sort key: the id of what the item names.
func keySuffix(it item) string {
	_, id, _ := strings.Cut(strOf(it, sk), "#")
	return id
}
