package awstest

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// model is AWS's published definition of a service's requests, as in botocore. The emulators
// accept names, lengths and values that the service refuses.
type model struct {
	Operations map[string]struct {
		Input struct {
			Shape string `json:"shape"`
		} `json:"input"`
	} `json:"operations"`
	Shapes map[string]*shape `json:"shapes"`
}

type shape struct {
	Type     string            `json:"type"`
	Required []string          `json:"required"`
	Members  map[string]member `json:"members"` // of a structure
	Member   member            `json:"member"`  // of a list
	Key      member            `json:"key"`     // of a map
	Value    member            `json:"value"`
	Enum     []string          `json:"enum"`
	Min      *float64          `json:"min"` // a length, or a number's value
	Max      *float64          `json:"max"`
	Pattern  string            `json:"pattern"`
}

type member struct {
	Shape string `json:"shape"`
}

// folders holds botocore's folders that are not the SDK's id in lower case.
var folders = map[string]string{"cloudwatch logs": "logs", "cloudfront keyvaluestore": "cloudfront-keyvaluestore"}

// invented are shapes of values that AWS generates and the emulators generate differently.
var invented = []string{"KeyValueStoreARN"}

var (
	modelsMu sync.Mutex
	models   = map[string]*model{}
)

func modelOf(dir, service string) (*model, error) {
	modelsMu.Lock()
	defer modelsMu.Unlock()
	if m := models[service]; m != nil {
		return m, nil
	}
	folder := strings.ToLower(service)
	if other := folders[folder]; other != "" {
		folder = other
	}
	found, err := filepath.Glob(filepath.Join(dir, folder, "*", "service-2.json.gz"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("botocore has no model of %s in %s (%w)", service, dir, err)
	}
	m := &model{}
	if err := m.readModel(found[len(found)-1]); err != nil {
		return nil, err
	}
	for _, name := range invented {
		if s := m.Shapes[name]; s != nil {
			s.Pattern = ""
		}
	}
	models[service] = m
	return m, nil
}

func (m *model) readModel(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	return json.NewDecoder(z).Decode(m)
}

// listViolations returns every violation of the service's model in a request, which is one of the SDK's
// input structs.
func (m *model) listViolations(operation string, input any) []error {
	var all []error
	m.lookAt(m.Operations[operation].Input.Shape, operation, reflect.ValueOf(input), &all)
	return all
}

func (m *model) lookAt(name, where string, v reflect.Value, all *[]error) {
	s := m.Shapes[name]
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	if s == nil {
		return
	}
	switch {
	case s.Type == "structure" && v.Kind() == reflect.Struct:
		m.checkStructure(s, where, v, all)
	case s.Type == "list" && v.Kind() == reflect.Slice:
		s.checkBounds(where, float64(v.Len()), all)
		for i := range v.Len() {
			m.lookAt(s.Member.Shape, fmt.Sprintf("%s[%d]", where, i), v.Index(i), all)
		}
	case s.Type == "map" && v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			m.lookAt(s.Key.Shape, where+" key", key, all)
			m.lookAt(s.Value.Shape, where+"."+key.String(), v.MapIndex(key), all)
		}
	case s.Type == "string" && v.Kind() == reflect.String:
		s.checkText(where, v.String(), all)
	case v.CanInt():
		s.checkBounds(where, float64(v.Int()), all)
	}
}

func (m *model) checkStructure(s *shape, where string, v reflect.Value, all *[]error) {
	for name, of := range s.Members {
		field := v.FieldByNameFunc(func(has string) bool { return strings.EqualFold(has, name) })
		if !field.IsValid() || isUnset(field) {
			if field.IsValid() && slices.Contains(s.Required, name) {
				*all = append(*all, fmt.Errorf("%s.%s is required", where, name))
			}
			continue
		}
		m.lookAt(of.Shape, where+"."+name, field, all)
	}
}

// isUnset reports whether a value is not sent. An empty text is not sent. The SDK's numbers and
// booleans that are not pointers have zero as their default.
func isUnset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String:
		return v.String() == ""
	default:
		return false
	}
}

func (s *shape) checkBounds(where string, n float64, all *[]error) {
	if s.Min != nil && n < *s.Min || s.Max != nil && n > *s.Max {
		*all = append(*all, fmt.Errorf("%s is %v, which is out of bounds", where, n))
	}
}

func (s *shape) checkText(where, text string, all *[]error) {
	s.checkBounds(where, float64(utf8.RuneCountInString(text)), all)
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
		*all = append(*all, fmt.Errorf("%s is %q, which is none of %v", where, text, s.Enum))
	}
	// The patterns are Java's, and Go has no look-ahead.
	pattern, err := regexp.Compile("^(?s:" + ahead.ReplaceAllString(s.Pattern, "") + ")$")
	if err == nil && s.Pattern != "" && !pattern.MatchString(text) {
		*all = append(*all, fmt.Errorf("%s is %q, which does not match %s", where, text, s.Pattern))
	}
}

var ahead = regexp.MustCompile(`\(\?[!=][^()]*\)`)

// judgeRequests fails the test when a client sends what the service's model forbids.
func judgeRequests(t testing.TB) func(*middleware.Stack) error {
	dir := filepath.Join(filepath.Dir(findTool(t, "aws")), "..", "lib")
	found, err := filepath.Glob(filepath.Join(dir, "python3*", "site-packages", "botocore", "data"))
	if err != nil || len(found) != 1 {
		t.Fatalf("botocore's models are %q, %v", found, err)
	}
	check := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		middleware.InitializeOutput, middleware.Metadata, error,
	) {
		operation := awsmiddleware.GetOperationName(ctx)
		m, err := modelOf(found[0], awsmiddleware.GetServiceID(ctx))
		if err == nil {
			err = errors.Join(m.listViolations(operation, in.Parameters)...)
		}
		if err != nil {
			t.Errorf("AWS would refuse %s: %v", operation, err)
		}
		return next.HandleInitialize(ctx, in)
	}
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("judge", check), middleware.After)
	}
}
