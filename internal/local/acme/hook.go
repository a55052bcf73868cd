package acme

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	acmeproto "github.com/mholt/acmez/v3/acme"

	"github.com/anchor-deploy/anchor/internal/retry"
)

// Hook is the operator's program that sets and removes DNS records. It is run without a shell, as
//
//	PROGRAM present
//	PROGRAM cleanup
//
// with, besides the environment of Anchor:
//
//	ANCHOR_DNS_NAME    the record's name, "_acme-challenge.example.com"
//	ANCHOR_DNS_TYPE    "TXT"
//	ANCHOR_DNS_VALUE   the record's value, without quotes
//	ANCHOR_DOMAIN      the domain that is proved, "example.com"
//
// present adds the record beside others of that name (a domain and its wildcard are proved by two)
// and may return before the record is visible. cleanup removes this one value. Exit status 0 means
// done; otherwise what it wrote to standard error is shown to the owner of the domain.
type Hook struct {
	Program   string
	Resolvers []string      // HOST:PORT; empty for the system's
	Visible   time.Duration // how long a record may take to be seen, 2 min
}

// HookError is a hook that failed.
type HookError struct {
	Program, Action, Output string
	Err                     error
}

func (e *HookError) Error() string {
	msg := fmt.Sprintf("the DNS hook %q failed to %s the record: %v", e.Program, e.Action, e.Err)
	if e.Output != "" {
		msg += ": " + e.Output
	}
	return msg
}

func (e *HookError) Unwrap() error { return e.Err }

// present sets the record of c and waits until resolvers return it: a CA that looks too early
// rejects the challenge for good.
func (h *Hook) present(ctx context.Context, c acmeproto.Challenge) (withdraw func(), err error) {
	if err := h.run(ctx, "present", c); err != nil {
		return nil, err
	}
	withdraw = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_ = h.run(ctx, "cleanup", c) // a record left over no longer proves anything
	}
	if err := h.awaitRecord(ctx, c.DNS01TXTRecordName(), c.DNS01KeyAuthorization()); err != nil {
		withdraw()
		return nil, err
	}
	return withdraw, nil
}

func (h *Hook) run(ctx context.Context, action string, c acmeproto.Challenge) error {
	cmd := exec.CommandContext(ctx, h.Program, action)
	cmd.Env = append(os.Environ(), "ANCHOR_DNS_NAME="+c.DNS01TXTRecordName(), "ANCHOR_DNS_TYPE=TXT",
		"ANCHOR_DNS_VALUE="+c.DNS01KeyAuthorization(), "ANCHOR_DOMAIN="+c.Identifier.Value)
	var said beginning
	cmd.Stderr = &said
	cmd.WaitDelay = 5 * time.Second
	ownGroup(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("it had not ended when its time was up: %w", ctx.Err())
		}
		return &HookError{Program: h.Program, Action: action, Output: firstLine(said.kept.String()), Err: err}
	}
	return nil
}

// beginning keeps the first part of what is written to it: a program may write without end.
type beginning struct{ kept bytes.Buffer }

const beginningSize = 4 << 10

func (b *beginning) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(len(p), max(beginningSize-b.kept.Len(), 0))])
	return len(p), nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.ToValidUTF8(line[:min(len(line), 300)], "")
}

func (h *Hook) awaitRecord(ctx context.Context, name, value string) error {
	ctx, cancel := context.WithTimeout(ctx, h.visibilityTimeout())
	defer cancel()
	if retry.Poll(ctx, looks, func() (bool, error) { return h.recordVisible(ctx, name, value), nil }) != nil {
		return &HookError{Program: h.Program, Action: "publish", Err: fmt.Errorf("%s has no TXT record %q after %s", name, value, h.visibilityTimeout())}
	}
	return nil
}

// looks is how often resolvers are asked for a new record.
var looks = retry.Policy{First: 100 * time.Millisecond, Longest: 5 * time.Second}

func (h *Hook) visibilityTimeout() time.Duration {
	if h.Visible > 0 {
		return h.Visible
	}
	return 2 * time.Minute
}

// recordVisible reports whether all resolvers return the record.
func (h *Hook) recordVisible(ctx context.Context, name, value string) bool {
	resolvers := []*net.Resolver{net.DefaultResolver}
	if len(h.Resolvers) > 0 {
		resolvers = nil
	}
	for _, at := range h.Resolvers {
		resolvers = append(resolvers, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, at)
		}})
	}
	return !slices.ContainsFunc(resolvers, func(r *net.Resolver) bool {
		values, err := r.LookupTXT(ctx, name+".")
		return err != nil || !slices.Contains(values, value)
	})
}

// findHook checks the program at start rather than at the first wildcard.
func findHook(program string, resolvers []string) (*Hook, error) {
	if program == "" {
		return nil, nil
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("find the DNS hook: %w", errors.Join(err, errors.New("--acme-dns-hook takes an executable file")))
	}
	return &Hook{Program: path, Resolvers: resolvers}, nil
}
