package client

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// event is one server-sent event.
type event struct {
	id, name string
	data     string
}

// errCut reports that a stream stopped without its end event.
var errCut = errors.New("the event stream was cut off")

// moreError reports that the server ended its answer and expects a request for the rest.
type moreError struct{ after string }

func (*moreError) Error() string { return "the event stream continues in another answer" }

// Watch returns a deployment's events from the first to the last. It resumes a stream that is
// cut off after the event last seen. It stops when several attempts in a row bring nothing, or
// when the server cannot be reached for longer than Client.Restart.
func (c *Client) Watch(ctx context.Context, project string, d anchor.DeploymentID) iter.Seq2[anchor.Event, error] {
	return func(yield func(anchor.Event, error) bool) {
		var last int64
		err := c.followStream(ctx, func(r *resumer) (bool, error) {
			before := last
			done, err := c.watchOnce(ctx, deploymentPath(project, d, "events"), &last, yield)
			if last > before {
				r.noteProgress()
			}
			return done, err
		})
		if err != nil {
			yield(anchor.Event{}, err)
		}
	}
}

// PastEvents returns a deployment's events so far.
func (c *Client) PastEvents(ctx context.Context, project string, d anchor.DeploymentID) (events []anchor.Event, err error) {
	path := deploymentPath(project, d, "events")
	_, err = c.stream(ctx, get(path, url.Values{"follow": {"false"}}), func(sent event) (bool, error) {
		var e anchor.Event
		if err := json.Unmarshal([]byte(sent.data), &e); err != nil {
			return false, fmt.Errorf("read an event of %s: %w", path, err)
		}
		events = append(events, e)
		return true, nil
	})
	return events, err
}

func (c *Client) watchOnce(ctx context.Context, path string, last *int64, yield func(anchor.Event, error) bool) (done bool, err error) {
	cl := get(path, nil)
	if *last > 0 {
		cl.header = http.Header{"Last-Event-Id": {strconv.FormatInt(*last, 10)}}
	}
	return c.stream(ctx, cl, func(sent event) (bool, error) {
		var e anchor.Event
		if err := json.Unmarshal([]byte(sent.data), &e); err != nil {
			return false, fmt.Errorf("read an event of %s: %w", path, err)
		}
		if e.Seq <= *last {
			return true, nil
		}
		*last = e.Seq
		return yield(e, nil), nil
	})
}

// Logs returns a project's last lines that match, oldest first.
func (c *Client) Logs(ctx context.Context, project string, f anchor.LogFilter, limit int) ([]anchor.LogLine, error) {
	list, err := fetch[wire.Items[anchor.LogLine]](ctx, c, get(projectPath(project, "logs"), logQuery(f, limit)))
	return list.Items, err
}

// Errors returns the groups of errors of a project, the one seen last first; deployment "" means all.
func (c *Client) Errors(ctx context.Context, project string, d anchor.DeploymentID, limit int) ([]wire.ErrorGroup, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if d != "" {
		q.Set("deployment", string(d))
	}
	list, err := fetch[wire.Items[wire.ErrorGroup]](ctx, c, get(projectPath(project, "errors"), q))
	return list.Items, err
}

// Error returns one group of errors.
func (c *Client) Error(ctx context.Context, project, id string) (wire.ErrorGroup, error) {
	return fetch[wire.ErrorGroup](ctx, c, get(projectPath(project, "errors", id), nil))
}

// FollowLogs returns the last lines that match and then those to come, until ctx is done. It resumes a
// stream that is cut off after the line last seen, where the server can tell lines apart, else
// with the lines from then on.
func (c *Client) FollowLogs(ctx context.Context, project string, f anchor.LogFilter, limit int) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		last := ""
		err := c.followStream(ctx, func(r *resumer) (bool, error) {
			if r.open {
				limit = 0
			}
			query := logQuery(f, limit)
			query.Set("follow", "true")
			cl := get(projectPath(project, "logs"), query)
			if last != "" {
				cl.header = http.Header{"Last-Event-Id": {last}}
			}
			done, err := c.stream(ctx, cl, func(e event) (bool, error) {
				var line anchor.LogLine
				if err := json.Unmarshal([]byte(e.data), &line); err != nil {
					return false, fmt.Errorf("read a log line: %w", err)
				}
				last = cmp.Or(e.id, last)
				r.noteProgress()
				return yield(line, nil), nil
			})
			if more := (*moreError)(nil); errors.As(err, &more) {
				last = cmp.Or(more.after, last)
			}
			return done, err
		})
		if err != nil {
			yield(anchor.LogLine{}, err)
		}
	}
}

// FollowBuildLog returns what a build printed and then the lines to come, until its deployment has
// ended. A stream that is cut off is requested again, and continues after the last line.
func (c *Client) FollowBuildLog(ctx context.Context, project string, d anchor.DeploymentID) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		seen, last := 0, ""
		err := c.followStream(ctx, func(r *resumer) (bool, error) {
			n := 0
			cl := get(buildPath(project, d, "logs"), url.Values{"follow": {"true"}})
			if last != "" { // a server whose events have ids continues after the last one
				cl.header, n = http.Header{"Last-Event-Id": {last}}, seen
			}
			done, err := c.stream(ctx, cl, func(e event) (bool, error) {
				var line anchor.LogLine
				if err := json.Unmarshal([]byte(e.data), &line); err != nil {
					return false, fmt.Errorf("read a line of the build: %w", err)
				}
				if n++; n <= seen {
					return true, nil
				}
				seen, last = n, e.id
				r.noteProgress()
				return yield(line, nil), nil
			})
			if more := (*moreError)(nil); errors.As(err, &more) {
				last = cmp.Or(more.after, last)
			}
			return done, err
		})
		if err != nil {
			yield(anchor.LogLine{}, err)
		}
	}
}

func logQuery(f anchor.LogFilter, limit int) url.Values {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	texts := map[string]string{
		"deployment": string(f.Deployment), "function": f.Function, "requestId": f.RequestID, "path": f.Path,
		"level": f.Level, "search": f.Text,
	}
	for name, value := range texts {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, value := range map[string]int64{"since": f.Since, "until": f.Until} {
		if value != 0 {
			q.Set(name, strconv.FormatInt(value, 10))
		}
	}
	return q
}

// stream passes each event to take until the end event or until take says to stop; then done is
// true.
func (c *Client) stream(ctx context.Context, cl call, take func(event) (more bool, err error)) (done bool, err error) {
	cl.header = withAccept(cl.header)
	res, err := c.do(ctx, cl)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	in := bufio.NewReader(res.Body)
	for {
		e, err := readEvent(in)
		if err != nil {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			return false, fmt.Errorf("%w: %w", errCut, err)
		}
		switch e.name {
		case wire.EventEnd:
			return true, nil
		case wire.EventMore:
			return false, &moreError{e.id}
		case wire.EventError:
			return false, eventError(e.data)
		}
		if more, err := take(e); err != nil || !more {
			return err == nil, err
		}
	}
}

func withAccept(h http.Header) http.Header {
	if h == nil {
		h = http.Header{}
	}
	h.Set("Accept", "text/event-stream")
	return h
}

func eventError(data string) error {
	var p wire.Problem
	if err := json.Unmarshal([]byte(data), &p); err != nil {
		return fmt.Errorf("read the error that ended the stream: %w", err)
	}
	return fromProblem(p)
}

// readEvent reads up to the blank line that ends an event (HTML Living Standard,
// §9.2.6); comments make no event.
func readEvent(in *bufio.Reader) (event, error) {
	var e event
	var data []string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return event{}, asUnexpectedEOF(err)
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			if data == nil && e.name == "" {
				continue
			}
			e.data = strings.Join(data, "\n")
			return e, nil
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		}
	}
}

// asUnexpectedEOF: a stream has its own end event, so the connection's end is too early.
func asUnexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
