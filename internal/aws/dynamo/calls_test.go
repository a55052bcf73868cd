package dynamo_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
)

// TestStore_CallsToDynamoDB asserts the cost of the paths that have a budget: a rollback has ten calls in all,
// and one that waits for none of them.
func TestStore_CallsToDynamoDB(t *testing.T) {
	s := newStand(t)
	d, deploying := s.deployment(anchor.Deployed), s.deployment(anchor.Deploying)
	s.ok(s.CreateToken(s.ctx, anchor.Token{ID: anchor.NewID(), Hash: []byte("hash")}))
	live, err := s.Move(s.ctx, anchor.Live{}, releaseOf(d), nil)
	s.ok(err)
	accepted := releaseOf(d)
	accepted.Order, err = s.Accept(s.ctx, s.project.ID)
	s.ok(err)
	rollback := s.fresh(anchor.Deployed)
	rollback.IsRollback, rollback.RollbackTo = true, d.ID
	deployed := deploying
	deployed.Status = anchor.Deployed
	for _, test := range []struct {
		name string
		call func() error
		want []string
	}{
		{"Live", func() error { _, err := s.Live(s.ctx, s.project.ID); return err }, []string{"GetItem"}},
		{"Deployment", func() error { _, err := s.Deployment(s.ctx, d.ID); return err }, []string{"GetItem"}},
		{"Project", func() error { _, err := s.Project(s.ctx, s.project.ID); return err }, []string{"GetItem"}},
		{"ProjectBySlug", func() error { _, err := s.ProjectBySlug(s.ctx, s.project.Slug); return err }, []string{"GetItem"}},
		{"TokenByHash", func() error { _, err := s.TokenByHash(s.ctx, []byte("hash")); return err }, []string{"GetItem"}},
		{"EnvRows", func() error { _, err := s.EnvRows(s.ctx, s.project.ID); return err }, []string{"GetItem"}},
		{"Note", func() error { _, err := s.Note(s.ctx, s.project.ID); return err }, []string{"GetItem"}},
		{"PutNote", func() error { return s.PutNote(s.ctx, s.project.ID, "text") }, []string{"TransactWriteItems"}},
		{"Append", func() error { _, err := s.Append(s.ctx, anchor.Event{DeploymentID: d.ID}); return err }, []string{"TransactWriteItems"}},
		{"Append again", func() error { _, err := s.Append(s.ctx, anchor.Event{DeploymentID: d.ID}); return err }, []string{"TransactWriteItems"}},
		{"Append in another process", func() error {
			_, err := s.another().Append(s.ctx, anchor.Event{DeploymentID: d.ID})
			return err
		}, []string{"TransactWriteItems", "TransactWriteItems"}},
		{"UpdateDeployment", func() error { return s.UpdateDeployment(s.ctx, deploying, anchor.Deploying) }, []string{"TransactWriteItems"}},
		{"Move with a rollback's record", func() error {
			live, err = s.Move(s.ctx, live, accepted, &rollback)
			return err
		}, []string{"TransactWriteItems"}},
		{"Accept", func() error { _, err := s.Accept(s.ctx, s.project.ID); return err }, []string{"UpdateItem"}},
		{"Move with a deploy's record", func() error {
			live, err = s.Move(s.ctx, live, releaseOf(deployed), &deployed)
			return err
		}, []string{"TransactWriteItems"}},
		{"LastLive", func() error { _, err := s.LastLive(s.ctx, s.project.ID); return err }, []string{"Query"}},
		{"Lives", func() error { _, err := s.Lives(s.ctx); return err }, []string{"Query"}},
		{"Kept", func() error { _, err := s.Kept(s.ctx, s.project.ID); return err }, []string{"Query", "BatchGetItem"}},
		{"Unfinished, of which there are none", func() error { _, err := s.Unfinished(s.ctx); return err }, []string{"Query"}},
	} {
		calls := s.cloud.Wire.Record()
		s.ok(test.call())
		var got []string
		for _, c := range calls() {
			got = append(got, c.Operation[len("DynamoDB."):])
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s calls %v, want %v", test.name, got, test.want)
		}
	}
}

// reading records the reads that may return stale data.
type reading struct {
	sdk.HTTPClient
	stale []string
}

func (c *reading) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var read struct {
		ConsistentRead bool
		RequestItems   map[string]struct{ ConsistentRead bool }
	}
	switch r.Header.Get("X-Amz-Target") {
	case "DynamoDB_20120810.BatchGetItem":
		err = json.Unmarshal(body, &read)
		for _, table := range read.RequestItems {
			read.ConsistentRead = table.ConsistentRead
		}
	case "DynamoDB_20120810.GetItem", "DynamoDB_20120810.Query", "DynamoDB_20120810.Scan":
		err = json.Unmarshal(body, &read)
	default:
		read.ConsistentRead = true
	}
	if !read.ConsistentRead {
		c.stale = append(c.stale, string(body))
	}
	if err != nil {
		return nil, err
	}
	return c.HTTPClient.Do(r)
}

// TestStore_ConsistentReads: the emulators always return the last write; DynamoDB does so only for a
// consistent read.
func TestStore_ConsistentReads(t *testing.T) {
	s := newStand(t)
	config := s.cloud.Config()
	c := &reading{HTTPClient: config.HTTPClient}
	config.HTTPClient = c
	s.Store = dynamo.New(dynamodb.NewFromConfig(config), s.names)

	s.furnish(1)
	s.ok(s.CreateToken(s.ctx, anchor.Token{ID: anchor.NewID(), Hash: []byte("hash")}))
	page := anchor.Page{}
	for _, read := range []func() error{
		func() error { _, err := s.Projects(s.ctx, page); return err },
		func() error { _, err := s.ProjectBySlug(s.ctx, s.project.Slug); return err },
		func() error { _, err := s.Deployments(s.ctx, s.project.ID, page); return err },
		func() error { _, err := s.Unfinished(s.ctx); return err },
		func() error { _, err := s.Kept(s.ctx, s.project.ID); return err },
		func() error { _, err := s.Live(s.ctx, s.project.ID); return err },
		func() error { _, err := s.Lives(s.ctx); return err },
		func() error { _, err := s.Releases(s.ctx, s.project.ID, page); return err },
		func() error { _, err := s.EnvRows(s.ctx, s.project.ID); return err },
		func() error { _, err := s.Note(s.ctx, s.project.ID); return err },
		func() error { _, err := s.Tokens(s.ctx); return err },
		func() error { _, err := s.HostnameByName(s.ctx, "0.example"); return err },
		func() error { _, err := s.Hostnames(s.ctx, s.project.ID, page); return err },
	} {
		s.ok(read())
	}
	if len(c.stale) > 0 {
		t.Errorf("these reads may be stale: %q", c.stale)
	}
	due, err := s.DueHostnames(s.ctx, 1, 10)
	s.ok(err)
	if len(due) != 1 || len(c.stale) != 1 {
		t.Errorf("due are %v, read by %q: want one index read, then the records", due, c.stale)
	}
}
