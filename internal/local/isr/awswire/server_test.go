package awswire_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/anchor-deploy/anchor/internal/local/isr"
	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
)

// server is awswire on a real listener, over a real store.
type server struct {
	endpoint string
	store    *isr.Store
	keys     *awswire.Credentials
	work     chan sent
	assets   map[string]awswire.Asset // by namespace + " " + key
}

type sent struct {
	ns string
	isr.Message
}

func newServer(t testing.TB) *server {
	t.Helper()
	store, err := isr.Open(filepath.Join(t.TempDir(), "isr"))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{store: store, keys: awswire.NewCredentials(), work: make(chan sent, 100), assets: map[string]awswire.Asset{}}
	queue := isr.NewQueue(func(_ context.Context, ns string, m isr.Message) error {
		s.work <- sent{ns, m}
		return nil
	}, isr.QueueOptions{})
	listener := httptest.NewServer(awswire.New(awswire.Config{
		Store: store, Queue: queue, Auth: s.keys.Namespace, Revalidate: s.revalidate,
		Assets: func(ns, key string) (awswire.Asset, bool) { a, ok := s.assets[ns+" "+key]; return a, ok },
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	}))
	s.endpoint = listener.URL
	t.Cleanup(func() {
		listener.Close()
		if err := errors.Join(queue.Close(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// revalidate knows no page below /no.
func (s *server) revalidate(_ context.Context, ns string, page awswire.Page) error {
	if strings.HasPrefix(page.URL, "/no") {
		return errors.New(page.URL + " answered 500")
	}
	s.work <- sent{ns, isr.Message{Host: page.Host, URL: page.URL}}
	return nil
}

func (s *server) config(ns string) aws.Config {
	key := s.keys.Issue(ns)
	return configWith(s.endpoint, key.ID, key.Secret)
}

func configWith(endpoint, id, secret string) aws.Config {
	return aws.Config{
		Region:           awswire.Region,
		BaseEndpoint:     aws.String(endpoint),
		Credentials:      credentials.NewStaticCredentialsProvider(id, secret, ""),
		RetryMaxAttempts: 1,
	}
}

func (s *server) s3(ns string) *s3.Client             { return s3.NewFromConfig(s.config(ns)) }
func (s *server) dynamodb(ns string) *dynamodb.Client { return dynamodb.NewFromConfig(s.config(ns)) }
func (s *server) sqs(ns string) *sqs.Client           { return sqs.NewFromConfig(s.config(ns)) }

// raw sends a request that no SDK would send, signed only with the access key of a namespace.
func (s *server) raw(t *testing.T, ns, method, path string, head map[string]string, body io.Reader) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.endpoint+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.keys.Issue(ns).ID+"/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
	for name, v := range head {
		r.Header.Set(name, v)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(answer)
}
