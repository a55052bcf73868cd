package drains

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/anchor-deploy/anchor/internal/local/otlp"
	"github.com/anchor-deploy/anchor/internal/local/outbound"
)

// post sends a compressed body.
func post(ctx context.Context, to string, header http.Header, kind string, plain []byte) error {
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	_, _ = z.Write(plain) // to memory
	_ = z.Close()
	header = header.Clone()
	header.Set("Content-Type", kind)
	header.Set("Content-Encoding", "gzip")
	_, err := outbound.Post(ctx, to, header, body.Bytes())
	return err
}

// httpSender sends JSON lines (https://jsonlines.org).
type httpSender struct {
	url    string
	header http.Header
}

func (s *httpSender) send(ctx context.Context, events []event) error {
	var body []byte
	for i := range events {
		body = append(append(body, events[i].JSON...), '\n')
	}
	return post(ctx, s.url, s.header, "application/x-ndjson", body)
}

func (*httpSender) close() {}

// lokiSender sends to the push API of Loki (https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs). Labels are few
// and have few values, as Loki asks for; the others are in the line, which is JSON.
type lokiSender struct {
	url    string
	header http.Header
}

type lokiStream struct {
	Stream map[string]string `json:"stream"`
	Values [][2]string       `json:"values"` // nanoseconds, line
}

func (s *lokiSender) send(ctx context.Context, events []event) error {
	var streams []*lokiStream
	of := map[[3]string]*lokiStream{}
	for i := range events {
		e := &events[i]
		key := [3]string{e.Project, e.Source, e.Level}
		if of[key] == nil {
			labels := map[string]string{"job": "anchor", "source": e.Source, "level": e.Level}
			if e.Project != "" {
				labels["project"] = e.Project
			}
			of[key] = &lokiStream{Stream: labels}
			streams = append(streams, of[key])
		}
		of[key].Values = append(of[key].Values, [2]string{strconv.FormatInt(e.Time.UnixNano(), 10), string(e.JSON)})
	}
	body, err := json.Marshal(map[string]any{"streams": streams})
	if err != nil {
		return err
	}
	return post(ctx, s.url, s.header, "application/json", body)
}

func (*lokiSender) close() {}

// otlpSender sends to a collector of OpenTelemetry.
type otlpSender struct{ to otlp.Client }

func newOTLP(url string, header http.Header) *otlpSender {
	return &otlpSender{otlp.Client{URL: url, Header: header}}
}

func (s *otlpSender) send(ctx context.Context, events []event) error {
	lines := make([]otlp.Log, len(events))
	for i := range events {
		e := &events[i]
		lines[i] = otlp.Log{Service: e.Project, Time: e.Time, Level: e.Level, Text: e.Text, TraceID: e.TraceID, Attributes: e.attributes()}
		if e.Project == "" {
			lines[i].Service = "anchor"
		}
	}
	refused, reason, err := s.to.Logs(ctx, lines)
	if err == nil && refused > 0 {
		return &partial{refused, reason}
	}
	return err
}

// attributes returns those of a line with the names that Anchor adds. It changes no map of the event, which may be sent again.
func (e *event) attributes() map[string]any {
	all := map[string]any{}
	for name, value := range e.Attributes {
		all[name] = value
	}
	all["anchor.source"], all["anchor.deployment"], all["anchor.function"], all["anchor.request_id"] = e.Source, e.Deployment, e.Function, e.RequestID
	return all
}

func (*otlpSender) close() {}
