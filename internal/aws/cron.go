package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// CronRecords stores what the platform has to know of crons.
type CronRecords interface {
	// SeenCrons returns up to when the runs of crons are accounted for: now for those that are new.
	// Those that are not among crons are forgotten.
	SeenCrons(ctx context.Context, p anchor.ProjectID, crons []anchor.Cron, now time.Time) (map[anchor.Cron]time.Time, error)
	// PutCronFunctions stores which functions of a deployment answer the paths of its crons.
	PutCronFunctions(ctx context.Context, id anchor.DeploymentID, functions map[string]string) error
	// CronFunctions returns what PutCronFunctions stored, nil when it stored nothing.
	CronFunctions(ctx context.Context, id anchor.DeploymentID) (map[string]string, error)
}

// runsCrons reports whether the installation has what crons need. The template of an earlier version
// does not create it.
func (p *Platform) runsCrons() bool { return p.CronHandler != "" && p.CronRole != "" }

func (p *Platform) checkCrons(a deploy.Artifact) error {
	if len(a.Build.Crons) == 0 || p.runsCrons() {
		return nil
	}
	return anchor.Invalid("no_crons", "the app has %d crons, and this installation was made by a version of Anchor that runs none", len(a.Build.Crons)).
		Hintf("Upgrade it: anchor aws bootstrap")
}

// noteCronFunctions stores the functions of a deployment's crons, unless the server function answers all.
func (p *Platform) noteCronFunctions(ctx context.Context, a deploy.Artifact) error {
	functions := function.OfCrons(a)
	if len(functions) == 0 {
		return nil
	}
	return p.Crons.PutCronFunctions(ctx, a.Deployment.ID, functions)
}

// followCrons makes the schedules of a project those of its live deployment's crons. Runs of crons that
// it did not have until now are due from now on. A pointer whose deployment is gone has none.
func (p *Platform) followCrons(ctx context.Context, live anchor.Live) error {
	if !p.runsCrons() {
		return nil
	}
	project, err := p.project(ctx, live.ProjectID)
	if err != nil {
		return err
	}
	d, err := p.serving(ctx, live.Deployment)
	if err != nil {
		return err
	}
	// Before the schedules: the first event of a new one must find its cron known.
	if len(d.Crons) > 0 {
		if _, err := p.Crons.SeenCrons(ctx, live.ProjectID, d.Crons, p.Now()); err != nil {
			return err
		}
	}
	found, err := p.schedules.Follow(ctx, project, d.Crons)
	if err == nil && found && len(d.Crons) == 0 {
		_, err = p.Crons.SeenCrons(ctx, live.ProjectID, nil, p.Now())
	}
	return err
}

// AskCron requests a path of a deployment for a cron, under the name of its project's site, from the
// function that answers it: past CloudFront, which waits for an answer for a minute only. secret is the
// app's CRON_SECRET, "" when it has none. id becomes the request's X-Request-Id. It returns the
// status of the response, and where it redirects to.
func (p *Platform) AskCron(ctx context.Context, d anchor.Deployment, secret, path, id, schedule string) (status int, location string, err error) {
	project, err := p.project(ctx, d.ProjectID)
	if err != nil {
		return 0, "", err
	}
	host, headers, err := p.cronRequest(ctx, project, d, path)
	if err != nil {
		return 0, "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+path, http.NoBody)
	if err != nil {
		return 0, "", fmt.Errorf("request %s of a cron: %w", path, err)
	}
	r.Header = headers
	r.Header.Set("User-Agent", "anchor-cron/1.0")
	r.Header.Set("X-Request-Id", id)
	if schedule != "" {
		r.Header.Set("X-Anchor-Cron-Schedule", schedule)
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	return p.sendCron(r)
}

// sendCron sends the request without a limit of its own: ctx has one.
func (p *Platform) sendCron(r *http.Request) (status int, location string, err error) {
	client := *p.HTTP
	client.Timeout = 0
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(r)
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err // without the function's address
		}
		return 0, "", fmt.Errorf("the function did not answer: %w", err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0, "", fmt.Errorf("the answer broke off: %w", err)
	}
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		location = res.Header.Get("Location")
	}
	return res.StatusCode, location, nil
}

// cronRequest returns the host of the function that answers a path, and the headers that CloudFront and
// its function (viewer-request.js) would add.
func (p *Platform) cronRequest(ctx context.Context, project anchor.Project, d anchor.Deployment, path string) (host string, headers http.Header, err error) {
	serves := d.Serves()
	name := anchor.ServerFunction
	var hosts, functions map[string]string
	both, bound := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		hosts, err = p.functions.DeploymentHosts(bound, project, serves, d.Functions)
		return err
	})
	both.Go(func() (err error) { functions, err = p.Crons.CronFunctions(bound, serves); return err })
	if err := both.Wait(); err != nil {
		return "", nil, err
	}
	at, _, _ := strings.Cut(path, "?")
	if split := functions[at]; split != "" {
		name = split
	}
	all, err := json.Marshal(hosts)
	if err != nil {
		return "", nil, fmt.Errorf("encode the hosts of deployment %s: %w", serves, err)
	}
	headers = http.Header{}
	headers.Set("X-Anchor-Origin", strings.Join(p.secrets(project), ","))
	headers.Set("X-Anchor-Deployment", string(serves))
	headers.Set("X-Anchor-Variant", "live")
	headers.Set("X-Anchor-Hosts", string(all))
	noted := p.readNote(ctx, project.ID) // written by each deployment that has crons
	headers.Set("X-Anchor-Distribution", noted.Distribution)
	headers.Set("X-Forwarded-Host", cmp.Or(p.Site.Domain, noted.Domain))
	return hosts[name], headers, nil
}
