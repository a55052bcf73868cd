package anchor

import (
	"regexp"
	"strings"
)

// MaxSlug is the length a project's slug may have: with "<deploymentId>--" before
// it, a label of a host name still fits in 63 octets (RFC 1035 §2.3.4).
const MaxSlug = 35

// Project is one site.
type Project struct {
	ID               ProjectID `json:"projectId"`
	Slug             string    `json:"slug"`
	ProductionBranch string    `json:"productionBranch"`
	CreatedAt        int64     `json:"createdAt"` // Unix milliseconds
	Limits           Limits    `json:"limits,omitzero" required:"false" doc:"What its processes may take together"`
	// Previews is what was set for the project; see PreviewRetention.Over.
	Previews PreviewRetention `json:"previews,omitzero" required:"false" doc:"Which previews are kept, where that differs from the server's default"`
	// Removing means that the project is being removed, which on aws takes minutes. It accepts
	// nothing new, and leaves the records when the rest is removed.
	Removing bool `json:"removing,omitempty" doc:"It is being removed and takes nothing new"`
}

var slugPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// CheckSlug refuses what cannot be a project's slug. "--" separates the parts of
// a deployment's host name, so it cannot be inside one.
func CheckSlug(slug string) error {
	ok := len(slug) <= MaxSlug && slugPattern.MatchString(slug) && !strings.Contains(slug, "--")
	if ok {
		return nil
	}
	return Invalid("bad_slug", "%q cannot be a project's slug", slug).
		Hintf("Use a-z, 0-9 and single hyphens inside, at most %d characters.", MaxSlug)
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

// Slugify makes a slug of a package's or folder's name. It returns "" when no character of the
// name can be kept.
func Slugify(name string) string {
	if _, unscoped, found := strings.Cut(name, "/"); found && strings.HasPrefix(name, "@") {
		name = unscoped
	}
	slug := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if len(slug) > MaxSlug {
		slug = strings.TrimRight(slug[:MaxSlug], "-")
	}
	return slug
}

// PreviewProtection is how the previews of a project are protected.
type PreviewProtection struct {
	Enabled   bool  `json:"enabled" doc:"Previews ask for a password or a sign-in"`
	SignIn    bool  `json:"signIn" doc:"Visitors sign in and need a role in the project; else they need a password"`
	Bypass    bool  `json:"bypass" doc:"There is a bypass token"`
	UpdatedAt int64 `json:"updatedAt,omitempty"`
}
