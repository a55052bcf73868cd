package wire

// ProtectPreviews is the body of PUT /projects/{projectId}/preview-protection.
type ProtectPreviews struct {
	Password string `json:"password" minLength:"1" maxLength:"1024" doc:"8 to 256 bytes"`
}

// PreviewBypass answers POST /projects/{projectId}/preview-protection/bypass. The token is shown this once.
type PreviewBypass struct {
	Token string `json:"token"`
}
