package api

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// asAnswered corrects what huma generates for an operation: this API answers a bad field with
// 400, not with 422, and a body may be too large or of an unsupported media type.
func asAnswered(_ *huma.OpenAPI, op *huma.Operation) {
	delete(op.Responses, strconv.Itoa(http.StatusUnprocessableEntity))
	if op.RequestBody == nil {
		return
	}
	for _, status := range []int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType} {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     op.Responses[strconv.Itoa(http.StatusBadRequest)].Content,
		}
	}
}

const eventStream = "text/event-stream"

// documentStream documents that the operation answers with server-sent events, of which huma sees only
// a function.
func documentStream(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{strconv.Itoa(http.StatusOK): {
		Content: map[string]*huma.MediaType{eventStream: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
}

// orJSON documents that an operation that streams can answer with a T instead.
func orJSON[T any](s *server, op *huma.Operation) {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	op.Responses[strconv.Itoa(http.StatusOK)].Content["application/json"] = &huma.MediaType{Schema: schema}
}
