package aws_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

const lookUp = "CloudFront.DescribeKeyValueStore"

// TestNoteStandsInForLookUps: with it a new process' rollback looks nothing up; without
// it, or with one that is wrong, unreadable or not to be had, the rollback does, and
// succeeds.
func TestNoteStandsInForLookUps(t *testing.T) {
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
		refused bool // the read of it
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

	// The next deployment notes what is right, and one after it writes no more.
	must(t, s.store.PutNote(t.Context(), s.project.ID, "wrong"))
	s.deploy(t, twoFunctions("three"))
	if again, err := s.store.Note(t.Context(), s.project.ID); err != nil || again != noted {
		t.Errorf("now it is noted %q (%v), want %q", again, err, noted)
	}
}

// noNotes refuses to give a project's note.
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

// TestExpectChangesNothing, known project or not, and asks once.
func TestExpectChangesNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy(t, platformtest.NewApp("one"))
	p := s.process(t, s.Config())
	for want, ask := range []func(){
		func() { s.platform.Expect(t.Context(), s.project.ID) }, // which deployed it
		func() { p.Expect(t.Context(), s.project.ID); p.Expect(t.Context(), s.project.ID) },
	} {
		calls := s.Wire.Record()
		ask()
		made := calls()
		if len(made) != want || want > 0 && made[0].Operation != "DynamoDB.GetItem" {
			t.Errorf("it makes the calls %+v, want %d", made, want)
		}
	}
	calls := s.Wire.Record()
	p.Expect(t.Context(), "nobody")
	if made := calls(); len(made) != 1 || made[0].Operation != "DynamoDB.GetItem" {
		t.Errorf("of a project that is not there it makes the calls %+v", made)
	}
}
