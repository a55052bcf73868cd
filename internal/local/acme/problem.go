package acme

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

// problemOf finds the CA's problem document (RFC 8555, section 6.7) in err.
func problemOf(err error) (acmeproto.Problem, bool) {
	var byValue acmeproto.Problem
	if errors.As(err, &byValue) {
		return byValue, true
	}
	var byPointer *acmeproto.Problem
	if errors.As(err, &byPointer) && byPointer != nil {
		return *byPointer, true
	}
	return acmeproto.Problem{}, false
}

func isProblem(err error, kind string) bool {
	p, ok := problemOf(err)
	return ok && p.Type == kind
}

// isRefusal reports whether the CA answered that the request is not acceptable.
func isRefusal(err error) bool {
	p, ok := problemOf(err)
	return ok && p.Status >= 400 && p.Status < 500
}

// isBlameless reports whether the CA failed, not the name; another CA may do better.
func isBlameless(err error) bool {
	var no *rejection
	if errors.As(err, &no) || errors.Is(err, context.Canceled) || errors.Is(err, errNoChallenge) {
		return false
	}
	if errors.Is(err, errUnfit) || errors.Is(err, errAccount) {
		return true
	}
	p, ok := problemOf(err)
	if !ok {
		var network net.Error
		return errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "HTTP 5")
	}
	switch p.Type {
	case acmeproto.ProblemTypeRateLimited, acmeproto.ProblemTypeServerInternal, acmeproto.ProblemTypeExternalAccountRequired,
		acmeproto.ProblemTypeUserActionRequired:
		return true
	}
	return p.Status >= http.StatusInternalServerError
}

// advice maps a problem type to what to do about it. NAME stands for the name.
var advice = map[string]string{
	acmeproto.ProblemTypeConnection:              "The CA could not connect to NAME. Check that its A and AAAA records lead to this server and that ports 80 and 443 are open from the internet.",
	acmeproto.ProblemTypeDNS:                     "The CA could not look up NAME. Check that its DNS records exist and that the domain's name servers answer (a broken DNSSEC chain looks the same).",
	acmeproto.ProblemTypeUnauthorized:            "The CA did not find this server's proof at NAME. Check that all its A and AAAA records lead to this server, and that no CDN or proxy stands in front.",
	acmeproto.ProblemTypeIncorrectResponse:       "The CA did not find this server's proof at NAME. Check that all its A and AAAA records lead to this server, and that no CDN or proxy stands in front.",
	acmeproto.ProblemTypeTLS:                     "The CA could not open a TLS connection to NAME. Check that port 443 leads to this server, and that nothing in front ends TLS.",
	acmeproto.ProblemTypeCAA:                     "A CAA record forbids this CA to issue for NAME. Add the CA to the CAA records of the domain, or remove them.",
	acmeproto.ProblemTypeRateLimited:             "The CA's limit on certificates is reached for NAME or its domain.",
	acmeproto.ProblemTypeRejectedIdentifier:      "The CA does not issue certificates for NAME. Use another name, another CA (--acme-ca), or your own certificate.",
	acmeproto.ProblemTypeExternalAccountRequired: "The CA requires an account that was created on its web site. Use another CA (--acme-ca).",
	acmeproto.ProblemTypeUserActionRequired:      "The CA requires you to agree to its new terms of service on its web site.",
	acmeproto.ProblemTypeInvalidContact:          "The CA does not accept the contact address. Change --acme-email.",
	acmeproto.ProblemTypeUnsupportedContact:      "The CA does not accept the contact address. Change --acme-email.",
	acmeproto.ProblemTypeServerInternal:          "The CA has an internal error. You cannot do anything about it.",
}

// explainFailure describes a failure for the owner of the name: what to do, what the CA said, when Anchor
// tries again.
func explainFailure(name string, err error, retry time.Time) string {
	return failureSentence(name, err) + " Anchor will try again at " + retry.UTC().Format("2006-01-02 15:04 MST") + "."
}

func failureSentence(name string, err error) string {
	if errors.Is(err, errNoChallenge) {
		return noChallenge(name)
	}
	var hook *HookError
	if errors.As(err, &hook) {
		return hook.Error() + "."
	}
	p, ok := problemOf(err)
	if !ok {
		return describeUnanswered(name, err)
	}
	text := strings.ReplaceAll(advice[p.Type], "NAME", name)
	switch {
	case errors.Is(err, errAccount):
		text = "The CA does not take orders from this server's ACME account any more. To open a new one, move its file out of acme/accounts in the data folder and restart Anchor."
	case text == "":
		text = "The CA refused " + name + "."
	}
	if said := problemDetails(p); said != "" {
		text += " The CA says: " + strings.TrimRight(said, ". ") + "."
	}
	return text
}

// problemDetails joins the texts of a problem and its subproblems (RFC 8555, section 6.7.1).
func problemDetails(p acmeproto.Problem) string {
	said := p.Detail
	for _, sub := range p.Subproblems {
		line := sub.Detail
		if sub.Identifier.Value != "" {
			line = sub.Identifier.Value + ": " + line
		}
		if said != "" {
			said = strings.TrimRight(said, ". ") + "; "
		}
		said += line
	}
	return said
}

func noChallenge(name string) string {
	if isWildcard(name) {
		return "A wildcard certificate needs a program that sets DNS records: set --acme-dns-hook, or attach each name separately."
	}
	return "The CA offers no challenge for " + name + " that this server can answer. Let it answer on port 80 or 443."
}

// describeUnanswered describes failures in which the CA did not answer.
func describeUnanswered(name string, err error) string {
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "The CA did not finish the order for " + name + " in time; Anchor continues it where it stopped."
	case errors.As(err, &network):
		return "The CA could not be reached: " + strings.TrimRight(network.Error(), ".") + ". Check that this server can reach the internet."
	}
	return "The certificate for " + name + " could not be issued: " + strings.TrimRight(err.Error(), ".") + "."
}
