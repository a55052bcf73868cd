package domains

import (
	"fmt"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// where explains where DNS records are changed, for users who did it once, years ago.
const where = "where the domain's DNS is kept (the registrar or DNS host)"

// describeDNSProblem explains what is wrong with the DNS and how to change it.
func describeDNSProblem(h anchor.Hostname, d Diagnosis) string {
	wrong := []Finding{}
	for _, f := range d.Checks {
		if f.State != FindingRight {
			wrong = append(wrong, f)
		}
	}
	if len(wrong) == 0 {
		return "The DNS of " + h.Name + " does not lead here yet. Set the records shown " + where + "."
	}
	text := describeFinding(wrong[0])
	if more := len(wrong) - 1; more > 0 {
		text += fmt.Sprintf(" %d more of its records are not right: see anchor domains check %s.", more, h.Name)
	}
	return text
}

// describeFinding returns the finding's own sentence, or one made of what was expected and found.
func describeFinding(f Finding) string {
	if f.Detail != "" {
		return f.Detail
	}
	return fmt.Sprintf("%s needs a %s record with the value %s; found %s. Change it %s.",
		f.Record.Name, f.Record.Type, f.Record.Value, foundText(f), where)
}

func foundText(f Finding) string {
	if len(f.Found) == 0 {
		return "none"
	}
	return strings.Join(f.Found, ", ")
}

// describeProofProblem asks for the challenge. It discloses nothing about the other project.
func describeProofProblem(h anchor.Hostname, d Diagnosis) string {
	r := challengeRecord(h)
	text := fmt.Sprintf("A domain above %s is attached to another project, so its owner has to prove it: set a TXT record named %s with the value %s %s.",
		h.Name, r.Name, r.Value, where)
	for _, f := range d.Checks {
		if f.Record == r {
			return text + " Found: " + foundText(f) + "."
		}
	}
	return text
}

// describeFailure describes what failed, why, and that it is retried.
func describeFailure(what string, err error) string {
	text := what + ": " + err.Error() + "."
	if hint := anchor.HintOf(err); hint != "" {
		text += " " + hint
	}
	return text + " Anchor will try again."
}

// warnBefore is how long before a certificate's end its owner is warned.
const warnBefore = 30 * 24 * time.Hour

// describeOwnCertProblem warns of the end of a certificate that only its owner can renew.
func describeOwnCertProblem(h anchor.Hostname, now time.Time) string {
	again := fmt.Sprintf("Bring a new one: anchor domains add %s --cert FILE --key FILE", h.Name)
	end := time.UnixMilli(h.NotAfter).UTC()
	switch {
	case h.NotAfter == 0:
		return "The certificate of " + h.Name + " did not arrive. " + again
	case !now.Before(end):
		return fmt.Sprintf("The certificate of %s expired on %s. %s", h.Name, end.Format(time.DateOnly), again)
	case now.Add(warnBefore).After(end):
		return fmt.Sprintf("The certificate of %s expires on %s. %s", h.Name, end.Format(time.DateOnly), again)
	}
	return ""
}
