package asset

// The content codings this server makes, as Content-Encoding names them (RFC 9110, section 8.4.1; RFC 7932; RFC 8878).
const (
	Brotli = "br"
	Gzip   = "gzip"
	Zstd   = "zstd"
)

// Coding is the coding a client likes best by its Accept-Encoding lines, "" when it prefers the body as it is.
func Coding(accept []string) string {
	if len(accept) == 0 {
		return ""
	}
	return parseAccept(accept).best(true, true, true)
}
