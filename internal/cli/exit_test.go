package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
)

func TestExitCodes(t *testing.T) {
	kind := func(k anchor.Kind) error {
		return fmt.Errorf("upload: %w", &anchor.Error{Kind: k, Code: "c", Message: "m"})
	}
	cases := []struct {
		err  error
		want int
		code string
	}{
		{nil, 0, "failed"},
		{errors.New("disk on fire"), 1, "failed"},
		{kind(anchor.KindFailed), 1, "c"},
		{kind(anchor.KindConflict), 1, "c"},
		{kind(anchor.KindInvalid), 2, "c"},
		{kind(anchor.KindTooLarge), 2, "c"},
		{usagef("no"), 2, "usage"},
		{kind(anchor.KindNotFound), 3, "c"},
		{kind(anchor.KindUnauthorized), 4, "c"},
		{kind(anchor.KindForbidden), 4, "c"},
		{kind(anchor.KindBusy), 4, "c"},
		{fmt.Errorf("upload: %w", &client.Unreachable{URL: "u", Err: errors.New("refused")}), 4, "unreachable"},
		{fmt.Errorf("upload: %w", context.Canceled), 130, "canceled"},
	}
	for _, c := range cases {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("exitCode(%v) = %d, want %d", c.err, got, c.want)
		}
		if c.err != nil && failureOf(c.err).Code != c.code {
			t.Errorf("failureOf(%v) has code %q, want %q", c.err, failureOf(c.err).Code, c.code)
		}
	}
}
