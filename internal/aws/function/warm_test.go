package function_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// marking is a server function that leaves a file when it starts, and another one when a request
// reaches the app.
const marking = `
import { writeFileSync } from "node:fs";
const { MARKS } = process.env;
writeFileSync(MARKS + "/started", "");
export const handler = async () => {
	writeFileSync(MARKS + "/reached", "");
	return { statusCode: 200, headers: {}, body: "one" };
};
`

// TestFunctions_Prepare_StartsTheTarget: after Prepare, the target's functions have started by
// their own alias, and no request has reached the app.
func TestFunctions_Prepare_StartsTheTarget(t *testing.T) {
	s, p := newStand(t), newProject()
	marks := t.TempDir()
	a := artifactOf(t, p, platformtest.NewApp("one").Server(marking))
	variables := env(a)
	variables[anchor.ServerFunction]["MARKS"] = marks
	versions, err := s.Publish(t.Context(), a, wanted(variables), t.Logf)
	must(t, err)
	d := a.Deployment
	d.Functions = versions
	s.route(t, p, d, 1)
	if left := names(t, marks); !slices.Equal(left, []string{"started"}) {
		t.Errorf("after the switch there are the marks %v, want only that it started", left)
	}
}

// TestFunctions_Prepare_DoesNotWaitForever: a function that does not start delays a switch until
// the end of the context, and fails nothing. Neither does one that may not be invoked.
func TestFunctions_Prepare_DoesNotWaitForever(t *testing.T) {
	s, p := newStand(t), newProject()
	one := s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	for name, fault := range map[string]awstest.Fault{
		"hangs":     {Operation: "Lambda.Invoke", Hang: true},
		"is denied": {Operation: "Lambda.Invoke", Status: 403, Code: "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			s.cloud.Wire.Break(fault)
			defer s.cloud.Wire.Mend()
			must(t, s.prepareWithin(t, p, one).Commit(t.Context(), liveOf(one, 1)))
		})
	}
}

// TestFunctions_KeepWarm_ReachesTheWarmerOnly: the events of a warmer reach the live version, so many at a time as
// instances are wanted, and no event reaches the app. A function that is not there has none.
func TestFunctions_KeepWarm_ReachesTheWarmerOnly(t *testing.T) {
	s, p := newStand(t), newProject()
	marks := t.TempDir()
	const handlesWarmers = `
import { writeFileSync } from "node:fs";
const { MARKS } = process.env;
export const handler = async (event) => {
	if ("type" in event) {
		writeFileSync(MARKS + "/" + event.index + " of " + event.concurrency, "");
		return { type: "warmer", serverId: "1" };
	}
	writeFileSync(MARKS + "/reached", "");
	return { statusCode: 200, headers: {}, body: "one" };
};
`
	a := artifactOf(t, p, platformtest.NewApp("one").Warmer().Server(handlesWarmers))
	variables := env(a)
	variables[anchor.ServerFunction]["MARKS"] = marks
	versions, err := s.Publish(t.Context(), a, wanted(variables), t.Logf)
	must(t, err)
	instances := map[string]int32{anchor.ServerFunction: 3, "gone": 1}
	must(t, s.KeepWarm(t.Context(), p, instances)) // nothing is live yet
	d := a.Deployment
	d.Functions = versions
	s.route(t, p, d, 1)
	must(t, s.KeepWarm(t.Context(), p, instances))
	if got := names(t, marks); !slices.Equal(got, []string{"0 of 3", "1 of 3", "2 of 3"}) {
		t.Errorf("the function has seen %v", got)
	}
	s.cloud.Wire.Break(awstest.Fault{Operation: "Lambda.Invoke", Status: 403, Code: "AccessDeniedException"})
	if err := s.KeepWarm(t.Context(), p, instances); anchor.CodeOf(err) != "aws_denied" || anchor.HintOf(err) == "" {
		t.Errorf("a refusal is %v", err)
	}
}

// prepareWithin prepares a switch within a time in which the aliases can be read, however slow the
// emulator is.
func (s *stand) prepareWithin(t *testing.T, p anchor.Project, d anchor.Deployment) function.Switch {
	t.Helper()
	for limit := 200 * time.Millisecond; ; limit *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		ready, err := s.Prepare(ctx, p, d)
		cancel()
		if err == nil {
			return ready
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for i, path := range paths {
		paths[i] = filepath.Base(path)
	}
	return paths
}
