package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
)

// write is one write: the records that it needs, the call, and a check of its effect.
type write struct {
	call func() error
	look func() error
}

// writes returns every write of a store, each on its own records.
func (s *stand) writes() map[string]write {
	queued, deploying, target := s.fresh(anchor.Queued), s.deployment(anchor.Deploying), s.deployment(anchor.Deployed)
	moved := deploying
	moved.Status = anchor.DeployFailed
	project := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "new"}
	doomed := s.newProject("doomed")
	token := anchor.Token{ID: anchor.NewID(), Hash: []byte("hash")}
	revoked := anchor.Token{ID: anchor.NewID(), Hash: []byte("revoked")}
	s.ok(s.CreateToken(s.ctx, revoked))
	fresh, kept, dropped := s.hostname("new.example"), s.hostname("kept.example"), s.hostname("dropped.example")
	s.ok(s.CreateHostname(s.ctx, kept))
	s.ok(s.CreateHostname(s.ctx, dropped))
	kept.Revision, kept.Problem = 1, "changed"
	s.ok(s.PutEnv(s.ctx, s.project.ID, []anchor.EnvVar{{Name: "GONE", Value: strings.Repeat("x", 1000)}}))
	r := releaseOf(target)
	r.Order = 9 // that of Accept, so that Move is one call
	return map[string]write{
		"CreateProject": {func() error { return s.CreateProject(s.ctx, project) }, func() error {
			_, err := s.ProjectBySlug(s.ctx, "new")
			return err
		}},
		"DeleteProject": {func() error { return s.DeleteProject(s.ctx, doomed.ID) }, func() error {
			_, err := s.Project(s.ctx, doomed.ID)
			return want(errors.Is(err, anchor.ErrNotFound), err)
		}},
		"CreateDeployment": {func() error { return s.CreateDeployment(s.ctx, queued) }, func() error {
			_, err := s.Deployment(s.ctx, queued.ID)
			return err
		}},
		"UpdateDeployment": {func() error { return s.UpdateDeployment(s.ctx, moved, anchor.Deploying) }, func() error {
			d, err := s.Deployment(s.ctx, moved.ID)
			return want(d.Status == moved.Status, err)
		}},
		"Number": {func() error { _, err := s.Number(s.ctx, target.ID); return err }, func() error {
			n, err := s.Number(s.ctx, target.ID)
			return want(n > 0, err)
		}},
		"Move": {func() error { _, err := s.Move(s.ctx, anchor.Live{}, r, nil); return err }, func() error {
			l, err := s.Live(s.ctx, s.project.ID)
			return want(l.Release == r.ID && l.Revision == 1, err)
		}},
		"Append": {func() error { _, err := s.Append(s.ctx, anchor.Event{DeploymentID: target.ID}); return err }, func() error {
			all, err := s.Events(s.ctx, target.ID, 0)
			return want(len(all) == 1 && all[0].Seq == 1, err)
		}},
		"CreateToken": {func() error { return s.CreateToken(s.ctx, token) }, func() error {
			_, err := s.TokenByHash(s.ctx, token.Hash)
			return err
		}},
		"RevokeToken": {func() error { return s.RevokeToken(s.ctx, revoked.ID, 7) }, func() error {
			t, err := s.TokenByHash(s.ctx, revoked.Hash)
			return want(t.RevokedAt == 7, err)
		}},
		"PutEnv": {func() error {
			return s.PutEnv(s.ctx, s.project.ID, []anchor.EnvVar{{Name: "A", Value: strings.Repeat("a", 1000)}, {Name: "B", Value: "b"}})
		}, func() error {
			all, err := s.EnvRows(s.ctx, s.project.ID)
			return want(len(all) >= 2 && len(all[0].Value) == 1000 && all[1].Value == "b", err)
		}},
		"DeleteEnv": {func() error { return s.DeleteEnv(s.ctx, s.project.ID, anchor.EnvSlot{Name: "GONE"}) }, func() error {
			err := s.DeleteEnv(s.ctx, s.project.ID, anchor.EnvSlot{Name: "GONE"})
			return want(errors.Is(err, anchor.ErrNotFound), err)
		}},
		"PutNote": {func() error { return s.PutNote(s.ctx, s.project.ID, "text") }, func() error {
			text, err := s.Note(s.ctx, s.project.ID)
			return want(text == "text", err)
		}},
		"LockEnv": {func() error { _, err := s.LockEnv(s.ctx, target.ID, []byte("x")); return err }, func() error {
			b, err := s.LockedEnv(s.ctx, target.ID)
			return want(string(b) == "x", err)
		}},
		"CreateHostname": {func() error { return s.CreateHostname(s.ctx, fresh) }, func() error {
			_, err := s.HostnameByName(s.ctx, fresh.Name)
			return err
		}},
		"UpdateHostname": {func() error { _, err := s.UpdateHostname(s.ctx, kept); return err }, func() error {
			h, err := s.Hostname(s.ctx, kept.ID)
			return want(h.Revision == 2 && h.Problem == "changed", err)
		}},
		"DeleteHostname": {func() error { return s.DeleteHostname(s.ctx, dropped.ID) }, func() error {
			_, err := s.HostnameByName(s.ctx, dropped.Name)
			return want(errors.Is(err, anchor.ErrNotFound), err)
		}},
		"Lease": {func() error { _, _, err := s.Lease(s.ctx, s.project.ID, "me", time.Minute); return err }, func() error {
			_, _, err := s.Lease(s.ctx, s.project.ID, "you", time.Minute)
			return want(anchor.CodeOf(err) == "lease_held", err)
		}},
	}
}

// want returns nil when right is true and err is nil.
func want(right bool, err error) error {
	if right {
		return nil
	}
	return fmt.Errorf("it is not as wanted (%w)", err)
}

var writing = []string{"DynamoDB.TransactWriteItems", "DynamoDB.UpdateItem", "DynamoDB.BatchWriteItem"}

func (s *stand) breakWrites(f awstest.Fault) {
	for _, f.Operation = range writing {
		s.cloud.Wire.Break(f)
	}
}

func TestStore_Write_LostAnswerIsRetriedOnce(t *testing.T) {
	s := newStand(t)
	for name, w := range s.writes() {
		s.breakWrites(awstest.Fault{Nth: 1, After: true})
		err := w.call()
		s.cloud.Wire.Mend()
		if err := errors.Join(err, w.look()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStore_Write_AllAnswersLost(t *testing.T) {
	s := newStand(t)
	for name, w := range s.writes() {
		switch name {
		case "DeleteProject", "Number", "PutEnv", "CreateDeployment":
			continue // makes many calls and ends at the first, see TestStore_DeleteProject_EndsAtEachCall
		}
		s.breakWrites(awstest.Fault{After: true, Status: 500, Code: "InternalServerError"})
		err := w.call()
		s.cloud.Wire.Mend()
		if err == nil || anchor.KindOf(err) != anchor.KindFailed {
			t.Errorf("%s: error %v, want one that says nothing of what is stored", name, err)
		}
		if err := w.look(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStore_CreateDeployment_EndsAfterItsOrder asserts that the Order is skipped and the next call works.
func TestStore_CreateDeployment_EndsAfterItsOrder(t *testing.T) {
	s := newStand(t)
	first := s.deployment(anchor.Deploying)
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project.ID, Status: anchor.Deploying}
	s.breakWrites(awstest.Fault{After: true, Status: 500, Code: "InternalServerError"})
	err := s.CreateDeployment(s.ctx, d)
	s.cloud.Wire.Mend()
	if anchor.KindOf(err) != anchor.KindFailed {
		t.Errorf("created with %v", err)
	}
	_, err = s.Deployment(s.ctx, d.ID)
	s.code(err, anchor.KindNotFound, "unknown_deployment")
	s.ok(s.CreateDeployment(s.ctx, d))
	d, err = s.Deployment(s.ctx, d.ID)
	s.ok(err)
	first, err = s.Deployment(s.ctx, first.ID)
	s.ok(err)
	if !first.Before(d) {
		t.Errorf("the Order is %d after %d", d.Order, first.Order)
	}
}

func TestStore_Write_NeverArrives(t *testing.T) {
	s := newStand(t)
	for name, w := range s.writes() {
		s.breakWrites(awstest.Fault{Status: 400, Code: "ProvisionedThroughputExceededException", Message: "slow down"})
		err := w.call()
		s.cloud.Wire.Mend()
		s.code(err, anchor.KindBusy, "records_busy")
		if err := errors.Join(w.call(), w.look()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStore_RetriesThrottledCalls(t *testing.T) {
	s := newStand(t)
	d := s.deployment(anchor.Deployed)
	for _, operation := range []string{"GetItem", "Query", "BatchGetItem", "TransactWriteItems"} {
		s.cloud.Wire.Break(awstest.Fault{
			Operation: "DynamoDB." + operation, Nth: 1, Status: 400, Code: "ProvisionedThroughputExceededException",
		})
	}
	_, err := s.Move(s.ctx, anchor.Live{}, releaseOf(d), nil)
	s.ok(err)
	_, err = s.Live(s.ctx, s.project.ID)
	s.ok(err)
	all, err := s.Kept(s.ctx, s.project.ID)
	s.ok(err)
	if len(all) != 1 {
		t.Errorf("%d deployments are kept", len(all))
	}
}

func TestStore_Update_RetriesAfterTransactionConflict(t *testing.T) {
	s := newStand(t)
	d, other := s.deployment(anchor.Deploying), s.deployment(anchor.Deploying)
	conflict := awstest.Fault{Operation: "DynamoDB.UpdateItem", Status: 400, Code: "TransactionConflictException"}
	conflict.Nth = 1
	s.cloud.Wire.Break(conflict)
	n, err := s.Number(s.ctx, d.ID)
	s.ok(err)
	if n != 1 {
		t.Errorf("the number is %d", n)
	}
	conflict.Nth = 0
	s.cloud.Wire.Break(conflict)
	_, err = s.Number(s.ctx, other.ID)
	s.code(err, anchor.KindBusy, "records_busy")
}

// canceling answers transactions with cancellation reasons.
type canceling struct {
	sdk.HTTPClient
	reasons string
	times   int64 // how many are canceled
	tried   atomic.Int64
}

func (c *canceling) Do(r *http.Request) (*http.Response, error) {
	if awsmiddleware.GetOperationName(r.Context()) != "TransactWriteItems" || c.tried.Add(1) > c.times {
		return c.HTTPClient.Do(r)
	}
	body := `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"canceled","CancellationReasons":[` + c.reasons + `]}`
	return &http.Response{
		StatusCode: 400, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

func (s *stand) canceled(times int64, reasons string) (*dynamo.Store, *canceling) {
	config := s.cloud.Config()
	c := &canceling{HTTPClient: config.HTTPClient, reasons: reasons, times: times}
	config.HTTPClient = c
	return dynamo.New(dynamodb.NewFromConfig(config), s.names), c
}

func TestStore_Transact_Canceled(t *testing.T) {
	s := newStand(t)
	const forever = 1 << 30
	for _, test := range []struct {
		name, reasons string
		times, tried  int64
		kind          anchor.Kind // "" when it succeeds in the end
		code          string
	}{
		{"another is in the way", `{"Code":"None"},{"Code":"TransactionConflict"}`, 3, 4, "", ""},
		{"the table is too slow", `{"Code":"ThrottlingError"},{"Code":"ProvisionedThroughputExceeded"}`, 2, 3, "", ""},
		{"another stays in the way", `{"Code":"TransactionConflict"}`, forever, 12, anchor.KindBusy, "records_busy"},
		{"a condition and another", `{"Code":"ConditionalCheckFailed"},{"Code":"TransactionConflict"}`, forever, 1, anchor.KindNotFound, "unknown_project"},
		{"too large", `{"Code":"None"},{"Code":"ValidationError","Message":"Item size to update has exceeded the maximum allowed size"}`, forever, 1, anchor.KindTooLarge, "record_too_large"},
		{"something new", `{"Code":"Surprise"}`, forever, 1, anchor.KindFailed, ""},
	} {
		d := s.deployment(anchor.Deployed)
		from, _ := s.Live(s.ctx, s.project.ID)
		store, c := s.canceled(test.times, test.reasons)
		_, err := store.Move(s.ctx, from, releaseOf(d), nil)
		if test.kind == "" && err != nil || test.kind != "" && (err == nil || anchor.KindOf(err) != test.kind || anchor.CodeOf(err) != test.code) {
			t.Errorf("%s: error %v, want %s %q", test.name, err, test.kind, test.code)
		}
		if got := c.tried.Load(); got != test.tried {
			t.Errorf("%s: tried %d times, want %d", test.name, got, test.tried)
		}
	}
}

func TestStore_Retry_ContextEnds(t *testing.T) {
	s := newStand(t)
	d := s.deployment(anchor.Deployed)
	ctx, cancel := context.WithCancel(s.ctx)
	s.cloud.Wire.Break(awstest.Fault{Operation: "DynamoDB.TransactWriteItems", Do: cancel, Hang: true})
	_, err := s.Move(ctx, anchor.Live{}, releaseOf(d), nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestStore_Move_AnotherProcessMovesFirst(t *testing.T) {
	s := newStand(t)
	mine, theirs := releaseOf(s.deployment(anchor.Deployed)), releaseOf(s.deployment(anchor.Deployed))
	s.cloud.Wire.Break(awstest.Fault{Operation: "DynamoDB.TransactWriteItems", Nth: 1, Do: func() {
		if _, err := s.another().Move(s.ctx, anchor.Live{}, theirs, nil); err != nil {
			t.Error(err)
		}
	}})
	_, err := s.Move(s.ctx, anchor.Live{}, mine, nil)
	s.code(err, anchor.KindConflict, "pointer_moved")
	live, err := s.Live(s.ctx, s.project.ID)
	s.ok(err)
	if live.Release != theirs.ID {
		t.Errorf("%s is live, want %s", live.Release, theirs.ID)
	}
}

func TestStore_Append_AnotherProcessAppends(t *testing.T) {
	s, n := newStand(t), 6
	d, other := s.deployment(anchor.Deploying), s.another()
	for i := range n {
		for _, store := range []*dynamo.Store{s.Store, other} {
			e, err := store.Append(s.ctx, anchor.Event{DeploymentID: d.ID})
			s.ok(err)
			if store == other && e.Seq != int64(2*i+2) {
				t.Errorf("event %d of the other has the Seq %d", i, e.Seq)
			}
		}
	}
	all, err := s.Events(s.ctx, d.ID, int64(n))
	s.ok(err)
	if len(all) != n || all[0].Seq != int64(n+1) {
		t.Errorf("the second half is %+v", all)
	}
}

func TestStore_ErrorsHaveHints(t *testing.T) {
	s := newStand(t)
	s.cloud.Wire.Break(awstest.Fault{
		Operation: "DynamoDB.GetItem", Status: 400, Code: "AccessDeniedException",
		Message: "User: arn:aws:sts::1:assumed-role/anchor-api/x is not authorized to perform: dynamodb:GetItem",
	})
	_, err := s.Live(s.ctx, s.project.ID)
	s.code(err, anchor.KindFailed, "access_denied")
	if !strings.Contains(err.Error(), "assumed-role/anchor-api") || !strings.Contains(err.Error(), "dynamodb:GetItem") {
		t.Errorf("%q names no role and action", err)
	}
	s.cloud.Wire.Mend()
	nowhere := dynamo.New(s.client(), dynamo.TablesOf("nowhere"))
	_, err = nowhere.Live(s.ctx, s.project.ID)
	s.code(err, anchor.KindFailed, "no_tables")
	s.code(s.CreateDeployment(s.ctx, anchor.Deployment{
		ID: "large", ProjectID: s.project.ID, Status: anchor.Queued, CommitMessage: strings.Repeat("x", 400<<10),
	}), anchor.KindTooLarge, "record_too_large")
}
