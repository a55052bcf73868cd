package wire

// ProtectPreviews is the body of PUT /projects/{projectId}/preview-protection: one of both.
type ProtectPreviews struct {
	Password string `json:"password,omitempty" minLength:"1" maxLength:"1024" doc:"8 to 256 bytes"`
	SignIn   bool   `json:"signIn,omitempty" doc:"Visitors sign in and need a role in the project"`
}

// VisitPreview is the body of POST /projects/{projectId}/preview-protection/visits.
type VisitPreview struct {
	Ticket string `json:"ticket" maxLength:"8192" doc:"That the preview gave the browser"`
}

// PreviewVisit answers POST /projects/{projectId}/preview-protection/visits.
type PreviewVisit struct {
	URL string `json:"url" doc:"Of the preview; works once, within a minute, in the browser that asked for the preview"`
}

// PreviewBypass answers POST /projects/{projectId}/preview-protection/bypass. The token is shown this once.
type PreviewBypass struct {
	Token string `json:"token"`
}
