package aws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

const lookUp = "CloudFront.DescribeKeyValueStore"

// TestNote_ReplacesLookups: with the note, a rollback in a new process looks nothing up. With a
// note that is absent, wrong, unreadable or unavailable, the rollback looks things up and
// succeeds.
func TestNote_ReplacesLookups(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	one, two := s.deploy(t, twoFunctions("one")), s.deploy(t, twoFunctions("two"))
	noted, err := s.store.Note(t.Context(), s.project.ID)
	must(t, err)
	if !strings.Contains(noted, `"slug":"shop"`) {
		t.Fatalf("it is noted %q", noted)
	}
	at, other, names := one, two, map[anchor.DeploymentID]string{one.ID: "one", two.ID: "two"}
	for name, test := range map[string]struct {
		note    string
		refused bool // reading the note is refused
		lookUps int
	}{
		"noted":            {note: noted},
		"not noted":        {note: "", lookUps: 1},
		"a store gone":     {note: strings.Replace(noted, "key-value-store/", "key-value-store/0", 1), lookUps: 1},
		"half a note":      {note: noted[:len(noted)/2], lookUps: 1},
		"of another shape": {note: `{"slug":"shop"}`, lookUps: 1},
		"not to be read":   {note: noted, refused: true, lookUps: 1},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, s.store.PutNote(t.Context(), s.project.ID, test.note))
			c := s.Config()
			if test.refused {
				c.HTTPClient = noNotes{c.HTTPClient}
			}
			calls, looked := s.Wire.Record(), 0
			_, err := s.releases(s.process(t, c)).Rollback(t.Context(), s.project.ID, at.ID)
			must(t, err)
			for _, c := range calls() {
				if c.Operation == lookUp {
					looked++
				}
			}
			if looked != test.lookUps {
				t.Errorf("the store is looked up %d times, want %d", looked, test.lookUps)
			}
			s.wantLive(t, at, names[at.ID])
			at, other = other, at
		})
	}

	// The next deployment corrects the note, and the one after it writes none.
	must(t, s.store.PutNote(t.Context(), s.project.ID, "wrong"))
	s.deploy(t, twoFunctions("three"))
	if again, err := s.store.Note(t.Context(), s.project.ID); err != nil || withoutETag(again) != withoutETag(noted) {
		t.Errorf("now it is noted %q (%v), want %q", again, err, noted)
	}
}

// withoutETag returns a note without what each deployment changes.
func withoutETag(note string) string {
	return regexp.MustCompile(`,"etag":"[^"]*"`).ReplaceAllString(note, "")
}

// noNotes refuses to read a project's note.
type noNotes struct{ sdk.HTTPClient }

func (n noNotes) Do(r *http.Request) (*http.Response, error) {
	if awsmiddleware.GetOperationName(r.Context()) != "GetItem" {
		return n.HTTPClient.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !bytes.Contains(body, []byte(`"NOTE"`)) {
		return n.HTTPClient.Do(r)
	}
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"__type":"AccessDeniedException","message":"not yours"}`)),
	}, nil
}

// TestPrepare_ReadsNoteOnce asserts that the note takes one call where the records did not read it with the
// target (release.SwitchReader, which TestCalls counts), also for a process that knows the project: another one may have noted
// another ETag.
func TestPrepare_ReadsNoteOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	d := s.deploy(t, platformtest.NewApp("one"))
	fresh := s.process(t, s.Config())
	for _, process := range []*aws.Platform{s.platform, fresh, fresh} {
		calls := s.Wire.Record()
		_, err := process.Prepare(t.Context(), s.project.ID, func(context.Context) (anchor.Deployment, error) { return d, nil })
		must(t, err)
		notes := 0
		for _, call := range calls() {
			if call.Operation == "DynamoDB.GetItem" {
				notes++
			}
		}
		if notes != 1 {
			t.Errorf("it reads %d items of the records, want 1", notes)
		}
	}
	s.wantLive(t, d, "one")
}

// TestPrepare_WithoutTarget asserts that only the project's note is read.
func TestPrepare_WithoutTarget(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	calls, none := s.Wire.Record(), errors.New("no target")
	_, err := s.process(t, s.Config()).Prepare(t.Context(), "nobody", func(context.Context) (anchor.Deployment, error) {
		return anchor.Deployment{}, none
	})
	if !errors.Is(err, none) {
		t.Errorf("it returns %v, want the target's error", err)
	}
	for _, call := range calls() {
		if call.Operation != "DynamoDB.GetItem" {
			t.Errorf("without a target it calls %s", call.Operation)
		}
	}
}

// TestNote_OldETag: a switch whose note is older than the store reads the store, and succeeds.
func TestNote_OldETag(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	one, two := s.deploy(t, twoFunctions("one")), s.deploy(t, twoFunctions("two"))
	s.newHandler(t).rollsBack(t, one.ID)
	s.wantLive(t, one, "one")
	calls := s.Wire.Record()
	s.newHandler(t).rollsBack(t, two.ID) // the first rollback changed the store, and nobody noted that yet
	reads := 0
	for _, c := range calls() {
		if c.Operation == "CloudFront KeyValueStore.DescribeKeyValueStore" {
			reads++
		}
	}
	if s.wantLive(t, two, "two"); reads != 1 {
		t.Errorf("the store is read %d times, want once", reads)
	}
	must(t, s.platform.Settle(t.Context(), s.project.ID))
	must(t, s.platform.Settle(t.Context(), anchor.ProjectID(anchor.NewID()))) // of a project that is gone
	calls = s.Wire.Record()
	s.newHandler(t).rollsBack(t, one.ID)
	for _, c := range calls() {
		if c.Operation == "CloudFront KeyValueStore.DescribeKeyValueStore" {
			t.Error("after the switch was settled, the next one reads the store")
		}
	}
	s.wantLive(t, one, "one")
}
