package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/front"
)

// note holds what a release would otherwise look up about its project, one call after another.
// The slug never changes. The rest changes when somebody deletes the resource and a deployment
// creates it again; that deployment also rewrites the note.
type note struct {
	Slug         string `json:"slug"`
	Distribution string `json:"distribution"` // id
	Store        string `json:"store"`        // ARN of the KeyValueStore
	Domain       string `json:"domain,omitempty"`
	// ETag is that of the store after the last write that is not part of a switch. It spares a switch
	// the call that reads it; when something wrote since, the switch takes three calls more.
	ETag string `json:"etag,omitempty"`
}

// parseNote reports false for a text that is not a note.
func parseNote(text string) (n note, ok bool) {
	err := json.Unmarshal([]byte(text), &n)
	return n, err == nil && n.Slug != "" && n.Store != ""
}

// readNote returns the project's note, or the zero value without one, and remembers what it says. The
// records have read it with the target's record, see release.SwitchReader; where they have not, it is one
// call. Without a note, Prepare looks everything up.
func (p *Platform) readNote(ctx context.Context, id anchor.ProjectID) note {
	text, err := p.Notes.Note(ctx, id)
	if err != nil {
		p.Log.WarnContext(ctx, "read what is noted of a project", "projectId", id, "error", err)
		return note{}
	}
	n, ok := parseNote(text)
	if !ok {
		return note{}
	}
	p.mu.Lock()
	_, known := p.projects[id]
	p.mu.Unlock()
	project := anchor.Project{ID: id, Slug: n.Slug}
	if !known {
		p.know(project)
	}
	p.front.Know(project, front.Site{Distribution: n.Distribution, Store: n.Store})
	return n
}

// noteETag notes the ETag of the project's store after a change that is not part of a switch, if the
// project has a note of this store. A failure costs the next switch calls, nothing else.
func (p *Platform) noteETag(ctx context.Context, id anchor.ProjectID) {
	arn, etag := p.front.ETag(id)
	if etag == "" {
		return
	}
	text, err := p.Notes.Note(ctx, id)
	if n, ok := parseNote(text); err == nil && ok && n.Store == arn && n.ETag != etag {
		n.ETag = etag
		err = p.putNote(ctx, id, n)
	}
	if err != nil && !errors.Is(err, anchor.ErrNotFound) { // of a project that is being removed
		p.Log.WarnContext(ctx, "note the state of a project's store", "projectId", id, "error", err)
	}
}

func (p *Platform) putNote(ctx context.Context, id anchor.ProjectID, n note) error {
	raw, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode what is to be noted of %s: %w", n.Slug, err)
	}
	return p.Notes.PutNote(ctx, id, string(raw))
}

// note stores what Ensure created or found, if it is not noted yet. It returns an error when that
// fails, because a note that stays wrong would cost every new process.
func (p *Platform) note(ctx context.Context, project anchor.Project, site front.Site) error {
	want := note{Slug: project.Slug, Distribution: site.Distribution, Store: site.Store, Domain: site.Domain}
	text, err := p.Notes.Note(ctx, project.ID)
	have, _ := parseNote(text)
	have.ETag = ""
	if err == nil && have != want {
		err = p.putNote(ctx, project.ID, want)
	}
	if err != nil {
		return fmt.Errorf("note what serves %s: %w", project.Slug, err)
	}
	return nil
}
