package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// RetireProject marks the project as being removed, durable on return: nothing can be added to
// it, and it has no live release. Idempotent; NotFound when it does not exist.
func (s *Store) RetireProject(ctx context.Context, id anchor.ProjectID) error {
	p, err := s.Project(ctx, id)
	if err != nil {
		return err
	}
	return s.markRetired(ctx, "retire the project", p)
}

func (s *Store) markRetired(ctx context.Context, what string, p anchor.Project) error {
	mark := item{removingAttr: &types.AttributeValueMemberBOOL{Value: true}}
	gone := refuseWith(records.NoProject(string(p.ID)))
	return s.writeTransaction(ctx, what,
		change{at: s.t.projectKey(p.ID), set: mark, when: isThere, refused: gone},
		change{at: s.t.slugKey(p.Slug), set: mark, when: isThere, refused: gone},
		change{at: s.t.liveKey(p.ID), delete: true},
		change{at: s.t.envKey(p.ID), delete: true},
	)
}

// DeleteProject removes the project and everything that belongs to it, durable on return;
// NotFound when it does not exist. Removed and ProjectRemoved report it from then on.
//
// It takes many calls. The first marks the project, so that nothing can be added to it; the last
// deletes the project itself. A deletion that ended in between is finished by the next one.
func (s *Store) DeleteProject(ctx context.Context, id anchor.ProjectID) error {
	const what = "delete the project"
	p, err := s.Project(ctx, id)
	if err != nil {
		return err
	}
	err = s.markRetired(ctx, what, p)
	for _, step := range []func(context.Context, string, anchor.ProjectID) error{
		s.deleteDeployments, s.deleteHostnames, s.deleteReleases, s.deleteLease,
	} {
		if err == nil {
			err = step(ctx, what, id)
		}
	}
	if err != nil {
		return err
	}
	return s.deleteProjectItems(ctx, what, p)
}

// deleteDeployments deletes the project's deployments. It first stores that they are removed,
// because their files outlive the records. Each record and journal is deleted before what belongs
// to it, so that nothing is added. The entry in the list is deleted last, because the next
// attempt finds the deployment by it.
func (s *Store) deleteDeployments(ctx context.Context, what string, p anchor.ProjectID) error {
	for _, prefix := range []string{orderPrefix, listedPrefix} {
		if err := s.deleteListed(ctx, what, p, prefix); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) deleteListed(ctx context.Context, what string, p anchor.ProjectID, prefix string) error {
	for {
		q := withPrefix(s.t.Deployments, ofProject(p), prefix)
		q.limit = maxBatchGet
		listed, err := s.queryAll(ctx, what, q)
		if err != nil || len(listed) == 0 {
			return err
		}
		if err := s.deleteBatch(ctx, what, p, listed); err != nil {
			return err
		}
	}
}

func (s *Store) deleteBatch(ctx context.Context, what string, p anchor.ProjectID, listed []item) error {
	var removed, records, children, entries []types.WriteRequest
	for _, entry := range listed {
		d := deploymentOf(entry)
		removed = append(removed, putRequest(s.t.removedKey(d)))
		for _, a := range []address{s.t.recordKey(d), s.t.journalKey(d), s.t.unfinishedKey(d), s.t.keptKey(p, d)} {
			records = append(records, deleteRequest(a.keyItem()))
		}
		entries = append(entries, deleteRequest(keyOf(entry)))
	}
	if err := s.writeBatches(ctx, what, s.t.Deployments, removed); err != nil {
		return err
	}
	if err := s.writeBatches(ctx, what, s.t.Deployments, records); err != nil {
		return err
	}
	for _, entry := range listed {
		items, err := s.queryAll(ctx, what, wholePartition(s.t.Deployments, ofDeployment(deploymentOf(entry))))
		if err != nil {
			return err
		}
		for _, it := range items {
			children = append(children, deleteRequest(keyOf(it)))
		}
	}
	if err := s.writeBatches(ctx, what, s.t.Deployments, children); err != nil {
		return err
	}
	return s.writeBatches(ctx, what, s.t.Deployments, entries)
}

// deleteReleases deletes the items that reserve the ids of releases, then the releases and the rest
// of the environment.
func (s *Store) deleteReleases(ctx context.Context, what string, p anchor.ProjectID) error {
	items, err := s.queryAll(ctx, what, wholePartition(s.t.Projects, ofProject(p)))
	if err != nil {
		return err
	}
	var ids, rest []types.WriteRequest
	for _, it := range items {
		if id := strOf(it, idAttr); id != "" {
			ids = append(ids, deleteRequest(s.t.releaseID(anchor.ReleaseID(id)).keyItem()))
		}
		rest = append(rest, deleteRequest(keyOf(it)))
	}
	if err := s.writeBatches(ctx, what, s.t.Projects, ids); err != nil {
		return err
	}
	return s.writeBatches(ctx, what, s.t.Projects, rest)
}

// deleteProjectItems deletes the project itself. Its slug may belong to another project by now, if
// another process finished the same deletion.
func (s *Store) deleteProjectItems(ctx context.Context, what string, p anchor.Project) error {
	taken := false
	err := s.writeTransaction(ctx, what,
		change{at: s.t.projectKey(p.ID), delete: true},
		change{at: s.t.removedProject(p.ID), put: item{}},
		change{at: s.t.slugKey(p.Slug), delete: true,
			when: notThere + " OR #record.#projectId = :p", values: item{":p": stringValue(p.ID)},
			refused: func(item) error { taken = true; return records.SlugTaken(p.Slug) }},
	)
	if taken {
		return nil
	}
	return err
}
