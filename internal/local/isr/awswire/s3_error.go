package awswire

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// s3Error is an error in the format of S3's REST API. The codes are those of the S3 API reference.
type s3Error struct {
	status        int
	code, message string
}

func (e *s3Error) Error() string { return e.code + ": " + e.message }

var s3Forbidden = &s3Error{http.StatusForbidden, "InvalidAccessKeyId", "No deployment has the access key of this request."}

func notImplemented(what string) *s3Error {
	return &s3Error{http.StatusNotImplemented, "NotImplemented",
		"Anchor does not answer " + what + "; it answers GetObject, HeadObject, PutObject and DeleteObject as OpenNext sends them."}
}

func s3ErrorOf(err error) *s3Error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, isr.ErrNotFound):
		return &s3Error{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	case errors.Is(err, isr.ErrKey):
		return &s3Error{http.StatusBadRequest, "KeyTooLongError", err.Error()}
	case errors.Is(err, isr.ErrQuota): // a 4xx, as SDKs retry 5xx
		return &s3Error{http.StatusForbidden, "QuotaExceeded", err.Error()}
	case errors.As(err, &tooLarge):
		return &s3Error{http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes."}
	}
	return &s3Error{http.StatusInternalServerError, "InternalError", err.Error()}
}

func writeS3Error(w http.ResponseWriter, r *http.Request, e *s3Error) {
	body, err := xml.Marshal(struct {
		XMLName             xml.Name `xml:"Error"`
		Code, Message       string
		Resource, RequestID string
	}{Code: e.code, Message: e.message, Resource: r.URL.Path, RequestID: w.Header().Get("x-amzn-RequestId")})
	if err != nil {
		body = []byte("<Error><Code>InternalError</Code></Error>")
	}
	body = append([]byte(xml.Header), body...)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone if this fails
	}
}
