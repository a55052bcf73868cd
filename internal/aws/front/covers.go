package front

import "reflect"

// coversConfig reports whether have contains everything that want sets. What want leaves unset (nil or
// zero) may have any value: CloudFront fills in defaults, and others may have set it. Lists are
// compared whole and in any order: CloudFront promises none, and nothing of ours depends on it.
func coversConfig(want, have any) bool {
	return isWithin(reflect.ValueOf(want), reflect.ValueOf(have))
}

func isWithin(want, have reflect.Value) bool {
	if !want.IsValid() || want.Kind() != reflect.Struct && want.IsZero() {
		return true
	}
	if !have.IsValid() {
		return false
	}
	switch want.Kind() {
	case reflect.Pointer:
		if have.IsNil() {
			return isVacant(want.Elem())
		}
		if want.Elem().Kind() != reflect.Struct {
			return want.Elem().Equal(have.Elem())
		}
		return isWithin(want.Elem(), have.Elem())
	case reflect.Struct:
		for i := range want.NumField() {
			if want.Type().Field(i).IsExported() && !isWithin(want.Field(i), have.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		return sameList(want, have)
	default:
		return want.Equal(have)
	}
}

func sameList(want, have reflect.Value) bool {
	if want.Len() != have.Len() {
		return false
	}
	for i := range want.Len() {
		found := false
		for j := 0; j < have.Len() && !found; j++ {
			found = isWithin(want.Index(i), have.Index(j))
		}
		if !found {
			return false
		}
	}
	return true
}

// isVacant reports whether a value is "", 0, false, or a structure of such values, which an answer
// may omit.
func isVacant(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer {
		return v.IsNil() || isVacant(v.Elem())
	}
	if v.Kind() != reflect.Struct {
		return v.IsZero()
	}
	for i := range v.NumField() {
		if !isVacant(v.Field(i)) {
			return false
		}
	}
	return true
}
