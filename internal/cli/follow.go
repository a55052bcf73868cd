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
)

// followDeployment shows the pipeline's steps as they happen and returns the ended deployment.
func (d *deploying) followDeployment(ctx context.Context, id anchor.DeploymentID) (wire.Deployment, error) {
	d.progress.beginStep("Wait")
	return d.watchEvents(ctx, id)
}

// watchEvents shows events under the step that has begun.
func (d *deploying) watchEvents(ctx context.Context, id anchor.DeploymentID) (wire.Deployment, error) {
	for e, err := range d.client.Watch(ctx, d.slug, id) {
		if gone := (*client.Unreachable)(nil); errors.As(err, &gone) {
			gone.Hint = "The deployment continues when the server is back. To see how it ends, run anchor deployments."
		}
		if err != nil {
			return wire.Deployment{}, fmt.Errorf("follow deployment %s: %w", id, err)
		}
		d.showEvent(e)
	}
	record, err := d.client.Deployment(ctx, d.slug, id)
	if err != nil {
		return record, err
	}
	return record, endingError(record)
}

func (d *deploying) showEvent(e anchor.Event) {
	switch e.Phase {
	case anchor.StepStart:
		d.progress.beginStep(stepLabel(e.Step))
		d.progress.sayNote(e.Message)
	case anchor.StepNote:
		if warning, found := strings.CutPrefix(e.Message, "warning: "); found {
			d.progress.printWarning(warning)
			return
		}
		d.progress.sayNote(e.Message)
	case anchor.StepEnd:
		d.progress.doneIn(e.Step, time.Duration(e.DurationMS)*time.Millisecond, e.Message)
	case anchor.StepFail:
		d.progress.failedIn(time.Duration(e.DurationMS) * time.Millisecond)
	}
}

// stepLabel makes a heading of a step's name: the pipeline names its steps in
// lower case.
func stepLabel(step string) string {
	if step == "" {
		return "Wait"
	}
	return string(step[0]&^0x20) + step[1:]
}

// endingError is the error of a deployment that did not end as deployed, or that is live in the records
// while traffic does not follow.
func endingError(d wire.Deployment) error {
	switch {
	case d.Status == anchor.Deployed && d.ErrorStep == "":
		return nil
	case d.Status == anchor.Deployed:
		return anchor.Failed("traffic_divided", "deployment %s is live in the records, but the switch failed: step %s: %s", d.ID, d.ErrorStep, d.ErrorMessage).
			Hintf("anchor status shows whether all requests reach it. To switch again, run anchor promote %s", d.ID)
	}
	message := d.ErrorMessage
	if d.Status == anchor.Superseded { // its other lines say what to do, as the hint does
		message, _, _ = strings.Cut(message, "\n")
	}
	if d.ErrorStep != "" {
		message = "step " + d.ErrorStep + ": " + message
	}
	e := anchor.Failed(string(d.Status), "deployment %s ended as %s: %s", d.ID, d.Status, message)
	switch d.Status {
	case anchor.Superseded:
		return e.Hintf("A newer release is live. To make this deployment live instead, run anchor promote %s", d.ID)
	case anchor.Canceled:
		return e.Hintf("To deploy again, run anchor deploy.")
	}
	if d.Status == anchor.BuildFailed && d.Source != "" {
		return e.Hintf("Live traffic was not affected. To see what the build printed, run anchor builds logs %s", d.ID)
	}
	if d.ErrorStep == "release" { // the switch itself failed
		return e.Hintf("anchor status shows what is live, and whether all requests reach it.")
	}
	return e.Hintf("Live traffic was not affected. To see what the app logged, run anchor logs --deployment %s", d.ID)
}
