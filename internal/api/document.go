package api

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// asAnswered corrects what huma writes by itself of an operation: a bad field is
// answered with 400 here, not with 422, and a body may be too large or of a kind
// that is not taken.
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

// streams says that the operation's answer is server-sent events, of which huma sees
// a function only.
func streams(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{strconv.Itoa(http.StatusOK): {
		Content: map[string]*huma.MediaType{eventStream: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
}

// orJSON says that the answer of an operation that streams can be a T instead.
func orJSON[T any](s *server, op *huma.Operation) {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	op.Responses[strconv.Itoa(http.StatusOK)].Content["application/json"] = &huma.MediaType{Schema: schema}
}
