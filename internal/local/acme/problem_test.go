package acme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

func TestExplain_Problems(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	problem := func(kind, detail string, sub ...acmeproto.Subproblem) error {
		return fmt.Errorf("order: %w", acmeproto.Problem{Type: acmeproto.ProblemTypeNamespace + kind, Detail: detail, Subproblems: sub})
	}
	sub := acmeproto.Subproblem{Problem: acmeproto.Problem{Detail: "SERVFAIL looking up CAA"}, Identifier: acmeproto.Identifier{Type: "dns", Value: "a.test"}}
	for _, c := range []struct {
		err  error
		want []string
	}{
		{problem("connection", "timeout after connect."), []string{"ports 80 and 443", "The CA says: timeout after connect.", "2026-03-04 05:06 UTC"}},
		{problem("caa", "", sub), []string{"CAA record", "The CA says: a.test: SERVFAIL looking up CAA."}},
		{problem("compound", "Errors", sub), []string{"refused a.test", "Errors; a.test: SERVFAIL"}},
		{problem("rateLimited", "retry later"), []string{"limit", "retry later"}},
		{problem("somethingNew", "who knows"), []string{"refused a.test", "who knows"}},
		{fmt.Errorf("final order is invalid: %w", &acmeproto.Problem{Type: acmeproto.ProblemTypeUnauthorized, Detail: "404"}), []string{"no CDN or proxy", "404"}},
		{problem("userActionRequired", "new terms"), []string{"terms of service", "The CA says: new terms."}},
		{problem("serverInternal", ""), []string{"an internal error"}},
		{errors.Join(errAccount, problem("unauthorized", "deactivated")), []string{"ACME account", "The CA says: deactivated."}},
		{errors.New("strange"), []string{"could not be issued: strange."}},
		{context.DeadlineExceeded, []string{"continues it where it stopped"}},
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, []string{"could not be reached", "connection refused"}},
		{&HookError{Program: "hook", Action: "present", Output: "no such zone", Err: errors.New("exit status 1")}, []string{"DNS hook", "no such zone"}},
		{errors.New("strange"), []string{"strange"}},
	} {
		text := explainFailure("a.test", c.err, at)
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%v: %q has no %q", c.err, text, want)
			}
		}
		if strings.Contains(text, "%!") || strings.Contains(text, "..") {
			t.Errorf("%v: %q", c.err, text)
		}
	}
}
