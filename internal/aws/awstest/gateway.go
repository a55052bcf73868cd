package awstest

import (
	"encoding/base64"
	"mime"
	"strings"
)

// GatewayBody returns a request's body as API Gateway's HTTP API puts it into an event, payload
// format 2.0: as text or as base64, by the Content-Type alone. Text that is not UTF-8 is destroyed,
// whatever Content-Encoding the request has (observed on the real service:
// github.com/ministackorg/ministack/issues/766).
func GatewayBody(contentType string, body []byte) (text string, isBase64Encoded bool) {
	if len(body) == 0 || isText(contentType) {
		return strings.ToValidUTF8(string(body), "\ufffd"), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

func isText(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch kind {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}
