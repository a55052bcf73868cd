package asset

// The content codings of this server, by their names in Content-Encoding (RFC 9110, section 8.4.1;
// RFC 7932; RFC 8878).
const (
	Brotli = "br"
	Gzip   = "gzip"
	Zstd   = "zstd"
)

// Coding returns the coding that a client prefers by its Accept-Encoding lines, or "" when it
// prefers the body as it is.
func Coding(accept []string) string {
	if len(accept) == 0 {
		return ""
	}
	return parseAccept(accept).bestCoding(true, true, true)
}
