package dynamo

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

const (
	numberAttr = "number"
	orderAttr  = "order"
)

// errNumbered ends an attempt to number a deployment that has a number.
var errNumbered = errors.New("it already has a number")

func readDeployment(it item) (anchor.Deployment, error) {
	d, err := decodeRecord[anchor.Deployment](it)
	d.Order = numOf(it, orderAttr)
	return d, err
}

// CreateDeployment inserts d, durable on return: a Conflict when its id exists, NotFound when its
// project is unknown.
func (s *Store) CreateDeployment(ctx context.Context, d anchor.Deployment) error {
	const what = "create the deployment"
	order, err := s.nextOrder(ctx, what, d.ProjectID)
	if err != nil {
		return err
	}
	d.Order = order
	insert, err := s.insertDeployment(d)
	if err != nil {
		return err
	}
	return s.writeTransaction(ctx, what, append(insert, s.ownerCondition(d.ProjectID))...)
}

// insertDeployment returns the changes that put a deployment, whose Order is set, and the items that
// name it. The caller checks its project.
func (s *Store) insertDeployment(d anchor.Deployment) ([]change, error) {
	rec, err := encodeRecord(d)
	if err != nil {
		return nil, err
	}
	changes := []change{
		{at: s.t.recordKey(d.ID), put: item{recordAttr: rec, orderAttr: numberValue(d.Order)}, when: notThere,
			refused: refuseWith(records.IDTaken("deployment", string(d.ID)))},
		{at: s.t.journalKey(d.ID), put: item{lastAttr: numberValue(0)}},
		{at: s.t.orderedKey(d.ProjectID, d.Order), put: item{idAttr: stringValue(d.ID)}},
	}
	if !d.Status.Ended() {
		changes = append(changes, change{at: s.t.unfinishedKey(d.ID), put: item{}})
	}
	if d.CanServe() {
		changes = append(changes, change{at: s.t.keptKey(d.ProjectID, d.ID), put: item{}})
	}
	return changes, nil
}

// Deployment returns one deployment or NotFound.
func (s *Store) Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error) {
	it, err := s.getItem(ctx, "read the deployment", s.t.recordKey(id))
	switch {
	case err != nil:
		return anchor.Deployment{}, err
	case it == nil:
		return anchor.Deployment{}, records.NoDeployment(id)
	}
	return readDeployment(it)
}

// UpdateDeployment writes d if the stored status is from and d's status is from or a move from
// it, else a Conflict; NotFound when its id does not exist in its project. Durable on return.
// Writing d twice without a move changes nothing more.
func (s *Store) UpdateDeployment(ctx context.Context, d anchor.Deployment, from anchor.Status) error {
	if d.Status != from && !from.CanMove(d.Status) {
		return s.explainRefusedMove(ctx, d, from)
	}
	changes, err := s.moveStatus(d, from, func(item) error { return records.NoDeployment(d.ID) })
	if err != nil {
		return err
	}
	return s.writeTransaction(ctx, "update the deployment", changes...)
}

// explainRefusedMove returns the first error that applies to a move that the domain does not know.
func (s *Store) explainRefusedMove(ctx context.Context, d anchor.Deployment, from anchor.Status) error {
	stored, err := s.Deployment(ctx, d.ID)
	switch {
	case err != nil:
		return err
	case stored.ProjectID != d.ProjectID:
		return records.NoDeployment(d.ID)
	case stored.Status != from:
		return records.StatusChanged(d.ID, stored.Status, from)
	}
	return records.NoSuchMove(d.ID, from, d.Status)
}

// moveStatus returns the changes that replace the stored record, whose status must be from, and the
// items that name it. missing returns the error when the project has no such deployment.
func (s *Store) moveStatus(d anchor.Deployment, from anchor.Status, missing func(item) error) ([]change, error) {
	rec, err := encodeRecord(d)
	if err != nil {
		return nil, err
	}
	changes := []change{{
		at: s.t.recordKey(d.ID), set: item{recordAttr: rec},
		when:   "#record.#status = :from AND #record.#projectId = :p",
		values: item{":from": stringValue(from), ":p": stringValue(d.ProjectID)},
		refused: func(stored item) error {
			if have := mapOf(stored, recordAttr); have != nil && strOf(have, "projectId") == string(d.ProjectID) {
				return records.StatusChanged(d.ID, anchor.Status(strOf(have, "status")), from)
			}
			return missing(stored)
		},
	}}
	if !from.Ended() && d.Status.Ended() {
		changes = append(changes, change{at: s.t.unfinishedKey(d.ID), delete: true})
	}
	if d.CanServe() {
		changes = append(changes, change{at: s.t.keptKey(d.ProjectID, d.ID), put: item{}})
	} else if from == anchor.Deployed || from == anchor.Superseded {
		changes = append(changes, change{at: s.t.keptKey(d.ProjectID, d.ID), delete: true})
	}
	return changes, nil
}

// Unfinished returns all deployments that have not ended, grouped by project and oldest first.
func (s *Store) Unfinished(ctx context.Context) ([]anchor.Deployment, error) {
	all, err := s.loadDeploymentsIn(ctx, "list the unfinished deployments", withPrefix(s.t.Deployments, allUnfinished, listedPrefix),
		func(d anchor.Deployment) bool { return !d.Status.Ended() })
	slices.SortFunc(all, func(a, b anchor.Deployment) int {
		return cmp.Or(cmp.Compare(a.ProjectID, b.ProjectID), a.Compare(b))
	})
	return all, err
}

// Kept returns the project's deployments that can serve, newest first.
func (s *Store) Kept(ctx context.Context, p anchor.ProjectID) ([]anchor.Deployment, error) {
	all, err := s.loadDeploymentsIn(ctx, "list the kept deployments", withPrefix(s.t.Deployments, ofProject(p), keptPrefix), anchor.Deployment.CanServe)
	slices.SortFunc(all, func(a, b anchor.Deployment) int { return b.Compare(a) })
	return all, err
}

// loadDeploymentsIn reads the deployments that the items of a span name and for which still holds.
func (s *Store) loadDeploymentsIn(ctx context.Context, what string, q span, still func(anchor.Deployment) bool) ([]anchor.Deployment, error) {
	entries, err := s.queryAll(ctx, what, q)
	if err != nil {
		return nil, err
	}
	all, err := s.loadDeployments(ctx, what, entries)
	return slices.DeleteFunc(all, func(d anchor.Deployment) bool { return !still(d) }), err
}

// deploymentOf returns the deployment that an entry of a list names.
func deploymentOf(entry item) anchor.DeploymentID {
	if id := strOf(entry, idAttr); id != "" {
		return anchor.DeploymentID(id)
	}
	return anchor.DeploymentID(keySuffix(entry))
}

func (s *Store) loadDeployments(ctx context.Context, what string, entries []item) ([]anchor.Deployment, error) {
	at := make([]address, 0, len(entries))
	for _, e := range entries {
		at = append(at, s.t.recordKey(deploymentOf(e)))
	}
	items, err := s.loadItems(ctx, what, at)
	if err != nil {
		return nil, err
	}
	return decodeRecords(items, readDeployment)
}

// Deployments lists the project's deployments, newest first; Invalid for a malformed cursor. An
// unknown project has none.
func (s *Store) Deployments(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Deployment], error) {
	const what = "list the deployments"
	entries, err := s.listEntries(ctx, what, p, page)
	if err != nil {
		return anchor.List[anchor.Deployment]{}, err
	}
	list := records.Cut(entries, page, listCursor)
	rows, err := s.loadDeployments(ctx, what, list.Items)
	return anchor.List[anchor.Deployment]{Items: rows, Next: list.Next}, err
}

// listEntries reads one entry beyond the page of the project's deployments: first those with an
// Order, then those from before there was one, by their ids.
func (s *Store) listEntries(ctx context.Context, what string, p anchor.ProjectID, page anchor.Page) ([]item, error) {
	if anchor.ValidID(page.Cursor) {
		return s.queryPage(ctx, what, s.t.Deployments, ofProject(p), listedPrefix, page)
	}
	order, err := records.BeforeOrder(page)
	if err != nil {
		return nil, err
	}
	q := newestBefore(s.t.Deployments, ofProject(p), orderPrefix, sortableNumber(order-1))
	q.limit = page.Size() + 1
	entries, err := s.queryAll(ctx, what, q)
	if err != nil || len(entries) == q.limit {
		return entries, err
	}
	old, err := s.queryPage(ctx, what, s.t.Deployments, ofProject(p), listedPrefix, anchor.Page{Limit: page.Limit})
	entries = append(entries, old...)
	return entries[:min(len(entries), q.limit)], err
}

func listCursor(entry item) string {
	if !strings.HasPrefix(strOf(entry, sk), orderPrefix) {
		return keySuffix(entry)
	}
	return strings.TrimLeft(keySuffix(entry), "0")
}

// Number returns the deployment's number within its project. Numbers start at 1 and grow with
// each deployment that asks for one; repeated calls return the same. Durable on return; NotFound
// when the deployment is unknown. A number may be skipped when a call ended before it was stored.
func (s *Store) Number(ctx context.Context, id anchor.DeploymentID) (int64, error) {
	const what = "number the deployment"
	it, err := s.getItem(ctx, what, s.t.recordKey(id))
	switch {
	case err != nil:
		return 0, err
	case it == nil:
		return 0, records.NoDeployment(id)
	case numOf(it, numberAttr) > 0:
		return numOf(it, numberAttr), nil
	}
	p := anchor.ProjectID(strOf(mapOf(it, recordAttr), "projectId"))
	n, err := s.incrementCounter(ctx, what, p, "numbers", change{when: isThere, refused: refuseWith(records.NoDeployment(id))})
	if err != nil {
		return 0, err
	}
	err = s.writeTransaction(ctx, what, change{
		at: s.t.recordKey(id), set: item{numberAttr: numberValue(n)}, when: isThere + " AND attribute_not_exists(#number)",
		refused: func(stored item) error {
			if n = numOf(stored, numberAttr); n > 0 {
				return errNumbered
			}
			return records.NoDeployment(id)
		},
	})
	if err != nil && !errors.Is(err, errNumbered) {
		return 0, err
	}
	return n, nil
}

// nextOrder returns the project's next place in the order of requests. The place is skipped when
// the caller ends before it is used. NotFound when the project does not exist or is being removed.
func (s *Store) nextOrder(ctx context.Context, what string, p anchor.ProjectID) (int64, error) {
	return s.incrementCounter(ctx, what, p, "orders", s.ownerCondition(p))
}

// incrementCounter increments an attribute of the project, if the condition holds, and returns it.
func (s *Store) incrementCounter(ctx context.Context, what string, p anchor.ProjectID, attr string, condition change) (int64, error) {
	at := s.t.projectKey(p)
	aliases := attributeNames(condition.when)
	aliases["#counter"] = attr
	counted, err := s.updateItem(ctx, what, &dynamodb.UpdateItemInput{
		TableName: sdk.String(at.table), Key: at.keyItem(),
		UpdateExpression: sdk.String("ADD #counter :one"), ConditionExpression: sdk.String(condition.when),
		ExpressionAttributeNames:  aliases,
		ExpressionAttributeValues: item{":one": numberValue(1)},
		ReturnValues:              types.ReturnValueUpdatedNew,
	}, condition.refused)
	return numOf(counted, attr), err
}
