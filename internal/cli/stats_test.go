package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// counted is an api.Traffic that records how far it is asked to look back.
type counted struct {
	api.Traffic
	stats wire.Stats
	last  time.Duration
}

func (c *counted) Stats(_ context.Context, _ anchor.Project, last time.Duration) (wire.Stats, error) {
	c.last = last
	return c.stats, nil
}

func statsCommands(t *testing.T, traffic api.Traffic) func(args ...string) (out, errs string, code int) {
	t.Helper()
	services := apitest.New(t, apitest.Options{}).Services()
	services.Traffic = traffic
	t.Setenv("ANCHOR_URL", apitest.Serve(t, services, api.Options{}, nil))
	t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	call := func(args ...string) (string, string, int) {
		var out, errs bytes.Buffer
		code := run(t.Context(), args, IOStreams{In: strings.NewReader(""), Out: &out, Err: &errs, Width: 80}, Parts{})
		for line := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("more than 80 columns: %s", line)
			}
		}
		return out.String(), errs.String(), code
	}
	if _, errs, code := call("projects", "create", "shop"); code != 0 {
		t.Fatal(errs)
	}
	return call
}

func TestStats_ByDeployment(t *testing.T) {
	ratio := 0.9999
	traffic := &counted{stats: wire.Stats{
		Total: wire.Traffic{Seconds: 300, Requests: 12345678, PerSecond: 41152.3, ErrorShare: 0.5},
		Deployments: []wire.DeploymentStats{
			{DeploymentID: "01m8jc6481sk664t10n0m3yy03", Live: true, Traffic: wire.Traffic{
				Requests: 12345678, PerSecond: 41152.3, ErrorShare: 0.0001, CacheHitRatio: &ratio, P50MS: 0.1, P95MS: 123, P99MS: 99000,
			}},
			{DeploymentID: "01m8jc6481sk664t10n0m3yy02"},
		},
	}}
	anchor := statsCommands(t, traffic)
	out, errs, code := anchor("stats", "shop", "--last", "15m")
	for _, text := range []string{"m3yy03", "live", "12345678", "41152.3", "<0.1%", ">99.9%", "0.1ms", "123ms", "99s", "50.0%", "5 min."} {
		if code != 0 || !strings.Contains(out, text) {
			t.Errorf("%d, without %q: %s%s", code, text, out, errs)
		}
	}
	if traffic.last != 15*time.Minute {
		t.Errorf("looks back %s", traffic.last)
	}
	if out, _, code := anchor("stats", "--project", "shop", "--json"); code != 0 || !strings.Contains(out, `"errorShare"`) || traffic.last != 5*time.Minute {
		t.Errorf("%d %s %s", code, out, traffic.last)
	}
	traffic.stats = wire.Stats{Deployments: []wire.DeploymentStats{}}
	if out, _, _ := anchor("stats", "shop"); !strings.Contains(out, "anchor deploy") {
		t.Error(out)
	}
	for _, args := range [][]string{{"--last", "721h"}, {"--last", "0"}, {"unknown"}, {"a", "b"}} {
		if _, errs, code := anchor(append([]string{"stats"}, args...)...); code == 0 || errs == "" {
			t.Errorf("%q: %d %s", args, code, errs)
		}
	}
}

func TestStats_OnAWS(t *testing.T) {
	if _, errs, code := statsCommands(t, nil)("stats", "shop"); code == 0 || !strings.Contains(errs, "CloudWatch") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestUp_RefusesAccessLogFlags(t *testing.T) {
	for _, flag := range []string{"--access-log-sample=1.5", "--access-log-sample=-1", "--access-log-sample=NaN", "--access-log-mib=0", "--access-log-keep=0"} {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"up", flag}, IOStreams{In: strings.NewReader(""), Out: &out, Err: &errs}, Parts{})
		name, _, _ := strings.Cut(flag, "=")
		if code == 0 || !strings.Contains(errs.String(), name) {
			t.Errorf("%s: %d %s", flag, code, errs.String())
		}
	}
}
