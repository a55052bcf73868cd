package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// checks is the policy of a watch: every check queries the authoritative servers.
var checks = retry.Policy{First: time.Second, Longest: 10 * time.Second}

// maxLost is how many checks in a row a server may fail to answer.
const maxLost = 5

// watching shows the progress of domains until they are served. It only reads; the server's
// reconciler does the work and continues without it.
type watching struct {
	shell    *shell
	client   *client.Client
	project  string
	progress *progress
	began    time.Time
	shown    map[string]string // what was last printed about a check, by domain and check
	running  string            // the label at the bottom of the terminal
}

// watchDomains watches until all are served, and updates domains to their last state.
func (s *shell) watchDomains(ctx context.Context, c *client.Client, project string, domains []wire.Domain, o domainOptions) error {
	name := domains[0].Name
	if !s.json {
		fmt.Fprintln(s.Err, "\nWatching. Ctrl-C stops watching; Anchor continues in the background.")
	}
	limited, stop := ctx, context.CancelFunc(func() {})
	if o.timeout > 0 {
		limited, stop = context.WithTimeout(ctx, o.timeout)
	}
	defer stop()
	w := &watching{shell: s, client: c, project: project, progress: newProgress(s), began: time.Now(), shown: map[string]string{}}
	err := w.pollDomains(limited, domains)
	w.progress.haltTicker()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		if !s.json {
			fmt.Fprintf(s.Err, "%s is attached, and Anchor continues in the background. To see its state, run\n  anchor domains check %s\n", name, quoteForShell(name))
		}
		if o.wait {
			return ctx.Err()
		}
		return nil
	case limited.Err() != nil:
		return anchor.Failed("not_served_yet", "%s is still not served after %s", name, o.timeout).
			Hintf("Anchor continues in the background. To see what is missing, run anchor domains check %s", quoteForShell(name))
	}
	return err
}

// pollDomains polls all domains until each is served.
func (w *watching) pollDomains(ctx context.Context, domains []wire.Domain) error {
	lost := 0
	return retry.Poll(ctx, checks, func() (bool, error) {
		served, err := w.lookOnce(ctx, domains)
		if err == nil {
			lost = 0
			return served, nil
		}
		if lost++; ctx.Err() != nil || !isPassing(err) || lost > maxLost {
			return false, err
		}
		w.progress.sayNote("the server does not answer; retrying")
		return false, nil
	})
}

// isPassing reports whether err is that of a server that restarts.
func isPassing(err error) bool {
	var gone *client.Unreachable
	return errors.As(err, &gone) || anchor.KindOf(err) == anchor.KindBusy
}

func (w *watching) lookOnce(ctx context.Context, domains []wire.Domain) (served bool, err error) {
	served = true
	for i := range domains {
		if domains[i].IsActive && domains[i].Diagnosis != nil {
			continue
		}
		d, err := w.client.Domain(ctx, w.project, string(domains[i].ID))
		if err != nil {
			return false, err
		}
		domains[i] = d
		w.showDomain(d)
		served = served && d.IsActive
	}
	return served, nil
}

// showDomain prints what has changed since the last check.
func (w *watching) showDomain(d wire.Domain) {
	waits, right := "", true
	for _, f := range findingsOf(d) {
		key := strings.Join([]string{d.Name, f.Record.Type, f.Record.Name, f.Record.Value}, " ")
		if f.State == domains.FindingRight {
			w.showTurn(key, findingLabel(f), f.Record.Name+" "+f.Record.Value)
			continue
		}
		right = false
		if waits == "" {
			waits = f.Detail
		}
		w.showTrouble(key, string(f.State)+strings.Join(f.Found, " "), findingLabel(f), f.Detail)
	}
	if d.CertificateStatus == anchor.CertIssued {
		w.showTurn(d.Name+" tls", "TLS", "certificate of "+d.Name)
	}
	switch {
	case d.IsActive:
		w.showTurn(d.Name+" served", "Live", "https://"+d.Unicode)
	case right && d.Problem != "":
		w.showTrouble(d.Name+" problem", d.Problem, "TLS", d.Problem)
		w.wait("TLS", d.Problem)
	case right:
		w.wait("TLS", "waiting for the certificate of "+d.Name)
	default:
		w.wait("DNS", waits)
	}
}

// showTurn prints once that a check is right.
func (w *watching) showTurn(key, label, detail string) {
	if w.shown[key] == "right" {
		return
	}
	w.shown[key] = "right"
	w.progress.beginStep(label)
	w.progress.doneIn(label, time.Since(w.began), detail)
	w.running = ""
}

// showTrouble prints in full what is wrong, and again only when the problem has changed. A missing
// record is how every domain starts, and is not news.
func (w *watching) showTrouble(key, what, label, detail string) {
	if w.shown[key] == what {
		return
	}
	missing := string(domains.FindingMissing)
	first := w.shown[key] == "" && what == missing
	w.shown[key] = what
	if first || w.progress.quiet {
		return
	}
	w.progress.haltTicker()
	w.running = ""
	fmt.Fprintf(w.shell.Err, "%s %s\n", w.shell.paintText(red, "✗"), label)
	printWrapped(w.shell.Err, "  ", cleanText(detail))
}

// wait shows at the bottom of a terminal what is waited for.
func (w *watching) wait(label, note string) {
	if w.running != label {
		w.progress.beginStep(label)
		w.running = label
	}
	w.progress.sayNote(note)
}
