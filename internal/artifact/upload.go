package artifact

// Upload is how to send a content past the API: PUT it to URL with Header. Anyone who has it
// can use it for some minutes, more than once, and for this content only.
type Upload struct {
	Digest Digest            `json:"digest"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header" doc:"Headers to send along; they are part of the signature"`
}
