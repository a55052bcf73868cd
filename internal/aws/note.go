package aws

import (
	"context"
	"encoding/json"
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
}

// readNote reads the project's note, unless the process knows the project already. It is one
// call, which need not wait for the target's record. Without a note, Prepare looks everything up.
func (p *Platform) readNote(ctx context.Context, id anchor.ProjectID) {
	p.mu.Lock()
	_, known := p.projects[id]
	p.mu.Unlock()
	if known && p.front.Knows(id) {
		return
	}
	text, err := p.Notes.Note(ctx, id)
	if err != nil {
		p.Log.WarnContext(ctx, "read what is noted of a project", "projectId", id, "error", err)
		return
	}
	var n note
	if err := json.Unmarshal([]byte(text), &n); err != nil || n.Slug == "" || n.Store == "" {
		return
	}
	project := anchor.Project{ID: id, Slug: n.Slug}
	p.know(project)
	p.front.Know(project, front.Site{Distribution: n.Distribution, Store: n.Store})
}

// note stores what Ensure created or found, if it is not noted yet. It returns an error when that
// fails, because a note that stays wrong would cost every new process.
func (p *Platform) note(ctx context.Context, project anchor.Project, site front.Site) error {
	raw, err := json.Marshal(note{Slug: project.Slug, Distribution: site.Distribution, Store: site.Store})
	if err != nil {
		return fmt.Errorf("encode what is to be noted of %s: %w", project.Slug, err)
	}
	have, err := p.Notes.Note(ctx, project.ID)
	if err == nil && have != string(raw) {
		err = p.Notes.PutNote(ctx, project.ID, string(raw))
	}
	if err != nil {
		return fmt.Errorf("note what serves %s: %w", project.Slug, err)
	}
	return nil
}
