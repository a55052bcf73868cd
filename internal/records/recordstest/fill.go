package recordstest

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func isKind(err error, kind anchor.Kind) bool {
	e := (*anchor.Error)(nil)
	return errors.As(err, &e) && e.Kind == kind
}

func codeOf(err error) string {
	if e := (*anchor.Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// fill sets every field of the struct v points to, down to the elements of maps and slices, to
// a distinct value. A field added to the domain is therefore tested at once.
func fill(v any) {
	n := int64(0)
	fillValue(reflect.ValueOf(v).Elem(), &n)
}

func fillValue(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(v.Field(i), n)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillValue(key, n)
		fillValue(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillValue(v.Index(0), n)
		fillValue(v.Index(1), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("%d: ü\n'\"\\\x00", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1<<20 + *n)
	case reflect.Int64:
		v.SetInt(1<<52 + *n)
	case reflect.Uint8:
		v.SetUint(uint64(255 - *n%7))
	default:
		panic("recordstest: fill knows no " + v.Kind().String())
	}
}
