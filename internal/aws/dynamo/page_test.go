package dynamo_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
)

func TestStore_Query_ContinuesAfterPage(t *testing.T) {
	s := newStand(t)
	d := s.deployment(anchor.Deploying)
	const n = 12 // of 128 KB each: a page is 1 MB at most
	for range n {
		_, err := s.Append(s.ctx, anchor.Event{DeploymentID: d.ID, Message: strings.Repeat("x", 128<<10)})
		s.ok(err)
	}
	calls := s.cloud.Wire.Record()
	all, err := s.Events(s.ctx, d.ID, 0)
	s.ok(err)
	if len(all) != n || len(calls()) < 2 {
		t.Errorf("%d events in %d calls, want %d in more than one", len(all), len(calls()), n)
	}
}

// stingy processes one item of each batch and leaves the rest unprocessed.
type stingy struct{ sdk.HTTPClient }

type batchGet struct {
	Keys           []json.RawMessage
	ConsistentRead bool
}

func (c stingy) Do(r *http.Request) (*http.Response, error) {
	switch awsmiddleware.GetOperationName(r.Context()) {
	case "BatchWriteItem":
		return serveOne(c.HTTPClient, r, "UnprocessedItems", func(all []json.RawMessage) (one, rest []json.RawMessage) {
			return all[:1], all[1:]
		})
	case "BatchGetItem":
		return serveOne(c.HTTPClient, r, "UnprocessedKeys", func(all batchGet) (one, rest batchGet) {
			one, rest = all, all
			one.Keys, rest.Keys = all.Keys[:1], all.Keys[1:]
			return one, rest
		})
	}
	return c.HTTPClient.Do(r)
}

// serveOne passes one item on and adds the rest to the answer under the name unprocessed.
func serveOne[T any](client sdk.HTTPClient, r *http.Request, unprocessed string, cut func(T) (one, rest T)) (*http.Response, error) {
	var request struct{ RequestItems map[string]T }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	left := map[string]T{}
	for table, all := range request.RequestItems {
		request.RequestItems[table], left[table] = cut(all)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if full, _ := json.Marshal(left); !bytes.Contains(full, []byte("[]")) {
		answer[unprocessed] = left
	}
	if body, err = json.Marshal(answer); err != nil {
		return nil, err
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Del("X-Amz-Crc32")
	return res, nil
}

func TestStore_Batch_RetriesUnprocessedItems(t *testing.T) {
	s := newStand(t)
	config := s.cloud.Config()
	config.HTTPClient = stingy{config.HTTPClient}
	s.Store = dynamo.New(dynamodb.NewFromConfig(config), s.names)
	const n = 20
	s.furnish(n)
	kept, err := s.Kept(s.ctx, s.project.ID)
	s.ok(err)
	vars, err := s.EnvRows(s.ctx, s.project.ID)
	s.ok(err)
	if len(kept) != n || len(vars) != n {
		t.Errorf("%d deployments and %d variables, want %d", len(kept), len(vars), n)
	}
	s.ok(s.DeleteProject(s.ctx, s.project.ID))
	if left := s.rows(); left != 0 {
		t.Errorf("%d items are left", left)
	}
}
