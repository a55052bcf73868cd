// Package otlp exports logs, spans and metrics by the OpenTelemetry protocol over HTTP, with protobuf
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp). The exporters of opentelemetry-go link gRPC for the same messages; this package
// encodes those of the module without it.
package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"github.com/anchor-deploy/anchor/internal/local/outbound"
)

// Client sends one signal to one address. The zero value is not a client.
type Client struct {
	URL    string // whole, such as https://collector.example/v1/logs
	Header http.Header

	By outbound.Client // with the certificates and the timeout of the signal
}

// post sends a request of a collector's service and returns its answer. Errors are marked as those of outbound.Post.
func (c Client) post(ctx context.Context, m proto.Message) ([]byte, error) {
	plain, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode for OTLP: %w", err)
	}
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	_, _ = z.Write(plain) // to memory
	_ = z.Close()
	header := c.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/x-protobuf")
	header.Set("Content-Encoding", "gzip")
	return c.By.Post(ctx, c.URL, header, body.Bytes())
}

// host is the name of this machine, "" when it has none.
var host, _ = os.Hostname()

// resourceOf describes a service on this machine by the semantic conventions for resources.
func resourceOf(service string) *resource.Resource {
	all := []*common.KeyValue{newAttribute("service.name", service)}
	if host != "" {
		all = append(all, newAttribute("host.name", host))
	}
	return &resource.Resource{Attributes: all}
}

func newAttribute(key string, v any) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: valueOf(v)}
}

// valueOf encodes what encoding/json decodes, integers and slices of attributes. Other types are encoded as their text.
func valueOf(v any) *common.AnyValue {
	switch v := v.(type) {
	case nil:
		return &common.AnyValue{}
	case string:
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: v}}
	case bool:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v}}
	case int64:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v}}
	case float64:
		return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: v}}
	case []any:
		list := &common.ArrayValue{}
		for _, item := range v {
			list.Values = append(list.Values, valueOf(item))
		}
		return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: list}}
	case map[string]any:
		list := &common.KeyValueList{}
		for key, item := range v {
			list.Values = append(list.Values, newAttribute(key, item))
		}
		return &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: list}}
	}
	return valueOf(fmt.Sprint(v))
}

func nanoseconds(t time.Time) uint64 { return uint64(max(0, t.UnixNano())) }
