package awswire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// maxJSON is the longest request in bytes: DynamoDB takes 16 MB in one BatchWriteItem.
const maxJSON = 16 << 20

// apiError is an error in the AWS JSON protocol.
type apiError struct {
	status  int
	kind    string // as __type names it
	message string
}

func (e *apiError) Error() string { return e.kind + ": " + e.message }

func validationError(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "com.amazon.coral.validate#ValidationException", fmt.Sprintf(format, args...)}
}

// operation answers one call. It returns the JSON body of the answer.
type operation func(h *handler, r *http.Request, ns string, body []byte) (any, error)

var operations = map[string]map[string]operation{
	"DynamoDB_20120810": {
		"Query":          (*handler).handleQuery,
		"GetItem":        (*handler).getItem,
		"PutItem":        (*handler).putItem,
		"BatchGetItem":   (*handler).batchGetItem,
		"BatchWriteItem": (*handler).batchWriteItem,
	},
	"AmazonSQS": {"SendMessage": (*handler).sendMessage},
	"Anchor":    {"Revalidate": (*handler).handleRevalidate},
}

func (h *handler) serveJSON(w http.ResponseWriter, r *http.Request, ns string, authorized bool, service, name string) {
	answer, err := h.callJSON(w, r, ns, authorized, service, name)
	if err == nil {
		writeJSON(w, http.StatusOK, answer)
		return
	}
	var api *apiError
	if !errors.As(err, &api) {
		h.Log.Error("a cache call of an app failed", "service", service, "operation", name, "deploymentId", ns, "error", err)
		api = &apiError{http.StatusInternalServerError, "InternalServerError", err.Error()}
	} else if authorized {
		h.Log.Warn("refused a cache call of an app", "service", service, "operation", name, "deploymentId", ns, "error", err)
	}
	writeJSON(w, api.status, map[string]string{"__type": api.kind, "message": api.message})
}

func (h *handler) callJSON(w http.ResponseWriter, r *http.Request, ns string, authorized bool, service, name string) (any, error) {
	call, ok := operations[service][name]
	switch {
	case !authorized:
		return nil, &apiError{http.StatusForbidden, "com.amazon.coral.service#UnrecognizedClientException",
			"The security token included in the request is invalid: no deployment has this access key."}
	case r.Method != http.MethodPost || !ok:
		return nil, &apiError{http.StatusBadRequest, "com.amazon.coral.service#UnknownOperationException",
			fmt.Sprintf("Anchor does not answer %s %s.%s; it answers what OpenNext's own overrides send.", r.Method, service, name)}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON))
	if err != nil {
		return nil, validationError("The request body could not be read: %v", err)
	}
	return call(h, r, ns, body)
}

// decodeBody refuses members that an operation does not know, because ignoring one (a filter, a limit)
// would answer a different question.
func decodeBody(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return validationError("Anchor cannot answer this request: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// writeJSON adds the CRC32 of the body, which DynamoDB sends and its Go client checks.
func writeJSON(w http.ResponseWriter, status int, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"__type":"InternalServerError","message":"the answer has no JSON form"}`)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails
}

// queueError converts an error of isr.Queue.Send to an SQS error.
func queueError(err error) error {
	if errors.Is(err, isr.ErrQueueFull) {
		return &apiError{http.StatusBadRequest, "com.amazonaws.sqs#OverLimit", err.Error()}
	}
	return err
}
