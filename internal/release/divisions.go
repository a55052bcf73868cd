package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// DivisionRecords is where Divisions writes.
type DivisionRecords interface {
	Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error)
	// UpdateDeployment is deploy.Records.UpdateDeployment.
	UpdateDeployment(ctx context.Context, d anchor.Deployment, from anchor.Status) error
	// Append is deploy.Journal.Append.
	Append(ctx context.Context, e anchor.Event) (anchor.Event, error)
	// SetDivided notes on the pointer and on its release since when traffic has not followed it
	// (Unix milliseconds), or 0 for that it follows. ErrConflict when the pointer's revision is
	// not live.Revision. The next move of the pointer removes the note.
	SetDivided(ctx context.Context, live anchor.Live, since int64) error
}

// Divisions records which projects' traffic is divided: a switch failed half-way, so that some
// requests reach another deployment than the live one. The note is on the pointer, where status
// commands and the reconciler find it. The record of the release and its journal say the same to
// people.
type Divisions struct {
	Records DivisionRecords
	Now     func() time.Time
}

// Begin records that traffic does not follow live. It returns since when, which is earlier than
// now if the pointer says so already. An error means that the note may be missing.
func (d Divisions) Begin(ctx context.Context, live anchor.Live) (since time.Time, err error) {
	if live.DividedSince != 0 {
		return time.UnixMilli(live.DividedSince), nil
	}
	since = d.Now()
	if err := d.Records.SetDivided(ctx, live, since.UnixMilli()); err != nil {
		return since, fmt.Errorf("record that the traffic of project %s is divided: %w", live.ProjectID, err)
	}
	text := fmt.Sprintf("Since %s some requests may reach another deployment than %s (%s), which is live.", stamp(since), live.Version, live.Deployment)
	return since, d.tell(ctx, live, text, func(record *anchor.Deployment) { record.ErrorMessage = lines(record.ErrorMessage, text) })
}

// End records that all traffic follows live again. It does nothing if the pointer does not say
// that traffic is divided. A repeated call may add a second event.
func (d Divisions) End(ctx context.Context, live anchor.Live) error {
	if live.DividedSince == 0 {
		return nil
	}
	text := fmt.Sprintf("All requests reach %s (%s) since %s; traffic was divided since %s.",
		live.Version, live.Deployment, stamp(d.Now()), stamp(time.UnixMilli(live.DividedSince)))
	told := d.tell(ctx, live, text, func(record *anchor.Deployment) {
		if record.Status == anchor.Deployed {
			record.ErrorStep, record.ErrorMessage = "", "" // it is live now, and nothing is wrong with it
			return
		}
		record.ErrorMessage = lines(record.ErrorMessage, text)
	})
	err := d.Records.SetDivided(ctx, live, 0)
	if errors.Is(err, anchor.ErrConflict) {
		err = nil // a newer release has removed the note
	}
	if err != nil {
		err = fmt.Errorf("record that the traffic of project %s follows the live pointer: %w", live.ProjectID, err)
	}
	return errors.Join(told, err)
}

// tell writes to the record that the release named, and to its journal.
func (d Divisions) tell(ctx context.Context, live anchor.Live, text string, change func(*anchor.Deployment)) error {
	_, failed := d.Records.Append(ctx, anchor.Event{
		DeploymentID: live.Record, Step: step, Phase: anchor.StepNote, Message: text, Time: d.Now().UnixMilli(),
	})
	record, err := d.Records.Deployment(ctx, live.Record)
	if err == nil {
		if record.ErrorStep == "" {
			record.ErrorStep = step
		}
		change(&record)
		err = d.Records.UpdateDeployment(ctx, record, record.Status)
	}
	if err = errors.Join(failed, err); err != nil {
		return fmt.Errorf("write to the record of deployment %s: %w", live.Record, err)
	}
	return nil
}

// step is the pipeline's step that moves traffic, which errors of a switch name.
const step = "release"

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func lines(first, second string) string {
	if first == "" {
		return second
	}
	return first + "\n" + second
}
