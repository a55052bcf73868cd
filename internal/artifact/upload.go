package artifact

// Upload says how to send a content past the API: PUT it to URL with Header. It can be
// used for some minutes, more than once, by whoever has it and for this content only.
type Upload struct {
	Digest Digest            `json:"digest"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header" doc:"Headers to send along; they are part of the signature"`
}
