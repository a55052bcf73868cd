package dynamo

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// item is what DynamoDB keeps under one key.
type item = map[string]types.AttributeValue

// The attributes that hold more than one sort of item.
const (
	recordAttr   = "record"   // the record, under its JSON names
	revisionAttr = "revision" // what a conditional write compares
	idAttr       = "id"       // the id the item names
)

func str[T ~string](s T) types.AttributeValue { return &types.AttributeValueMemberS{Value: string(s)} }
func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
func bin(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

// strOf gives a text, "" when the item has none of that name.
func strOf(it item, name string) string {
	if s, ok := it[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// numOf gives a number, 0 when the item has none of that name.
func numOf(it item, name string) int64 {
	if n, ok := it[name].(*types.AttributeValueMemberN); ok {
		if v, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return v
		}
	}
	return 0
}

// binOf gives bytes, nil when the item has none of that name.
func binOf(it item, name string) []byte {
	if b, ok := it[name].(*types.AttributeValueMemberB); ok {
		return b.Value
	}
	return nil
}

// mapOf gives a map, nil when the item has none of that name.
func mapOf(it item, name string) item {
	if m, ok := it[name].(*types.AttributeValueMemberM); ok {
		return m.Value
	}
	return nil
}

// record gives v as a map by its JSON names.
func record(v any) (types.AttributeValue, error) {
	return attributevalue.MarshalWithOptions(v, func(o *attributevalue.EncoderOptions) { o.TagKey = "json" })
}

// recordOf reads what record wrote.
func recordOf[T any](it item) (v T, err error) {
	err = attributevalue.UnmarshalWithOptions(it[recordAttr], &v, func(o *attributevalue.DecoderOptions) { o.TagKey = "json" })
	if err != nil {
		return v, fmt.Errorf("read the item %s / %s: %w", strOf(it, pk), strOf(it, sk), err)
	}
	return v, nil
}

// recordsOf reads all of them; it never is nil.
func recordsOf[T any](items []item, read func(item) (T, error)) ([]T, error) {
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

func (a address) key() item { return item{pk: str(a.pk), sk: str(a.sk)} }

func keyOf(it item) item { return item{pk: it[pk], sk: it[sk]} }

// suffix gives what follows the first "#" of the sort key: the id of what the item names.
func suffix(it item) string {
	_, id, _ := strings.Cut(strOf(it, sk), "#")
	return id
}
