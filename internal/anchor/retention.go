package anchor

import (
	"cmp"
	"time"
)

// PreviewRetention says which previews of a project are kept: the newest Keep that are not older than
// Days. A field that is 0 has the default of the server, see Over.
type PreviewRetention struct {
	Keep int `json:"keep,omitempty" doc:"Number of previews; 0 or absent: the server's default"`
	Days int `json:"days,omitempty" doc:"Age of the oldest preview, in days; 0 or absent: the server's default"`
}

// The most that a PreviewRetention keeps.
const (
	maxPreviews    = 1000
	maxPreviewDays = 3650
)

// CheckPreviewRetention refuses what is out of range.
func CheckPreviewRetention(r PreviewRetention) error {
	if r.Keep < 0 || r.Keep > maxPreviews {
		return Invalid("bad_retention", "%d previews cannot be kept", r.Keep).Hintf("Use 1 to %d, or 0 for the server's default.", maxPreviews)
	}
	if r.Days < 0 || r.Days > maxPreviewDays {
		return Invalid("bad_retention", "previews cannot be kept for %d days", r.Days).Hintf("Use 1 to %d, or 0 for the server's default.", maxPreviewDays)
	}
	return nil
}

// Over returns r with the defaults of a server for what r leaves open. There, Days 0 means any age.
func (r PreviewRetention) Over(server PreviewRetention) PreviewRetention {
	return PreviewRetention{Keep: cmp.Or(r.Keep, server.Keep), Days: cmp.Or(r.Days, server.Days)}
}

// IsTooOld reports whether a preview of that age is not kept any more.
func (r PreviewRetention) IsTooOld(age time.Duration) bool {
	return r.Days > 0 && age > time.Duration(r.Days)*24*time.Hour
}

// ProjectPreviewRetention is what is set for a project, and what holds for it.
type ProjectPreviewRetention struct {
	Set       PreviewRetention `json:"set" doc:"What is set for the project"`
	Effective PreviewRetention `json:"effective" doc:"What holds, with the server's defaults; days 0 or absent: any age"`
}
