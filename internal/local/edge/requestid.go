package edge

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
)

const (
	headerRequestID = "X-Request-Id"
	longestID       = 128
)

// requestID returns the id that the client chose if it is harmless in a log line, and a generated
// one otherwise. Ids distinguish requests; they are not secret, so a fast generator is enough.
func requestID(r *http.Request) string {
	if said := r.Header[headerRequestID]; len(said) == 1 && isSaneID(said[0]) {
		return said[0]
	}
	return newRequestID()
}

func newRequestID() string { return string(appendRequestID(nil)) }

func appendRequestID(b []byte) []byte {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:], rand.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], rand.Uint64())
	return hex.AppendEncode(b, raw[:])
}

func isSaneID(id string) bool {
	if id == "" || len(id) > longestID {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=', c == '@':
		default:
			return false
		}
	}
	return true
}
