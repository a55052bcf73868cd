package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// A project's environment is one item, created with the project, with one attribute for each
// variable: so one call writes many variables, all or none. Larger values are items of their own,
// which are written first and never changed. Each call of PutEnv is a set, and a variable names
// the set that wrote it. After its name an attribute has the environment and the branch, if any,
// which no name of a variable contains: env_NAME@preview@feature/x.
const (
	variable   = "env_" // before the name: no other attribute begins with it
	maxInside  = 256    // bytes of a value that is stored in the item itself
	setAttr    = "set"
	phaseAttr  = "for"
	atAttr     = "at"
	sealedAttr = "sealed"
)

// errReplaced ends an attempt when somebody else has changed the environment.
var errReplaced = errors.New("the environment changed meanwhile")

// PutEnv sets all of vars, whose Values are sealed, or none; at most 100 at once. A variable that
// exists is replaced, value and phase. Idempotent, durable on return; NotFound when the project
// is unknown. A call that ends before its answer may leave large values that nothing names;
// deleting the project deletes them.
func (s *Store) PutEnv(ctx context.Context, p anchor.ProjectID, vars []anchor.EnvVar) error {
	const what = "set the environment"
	if len(vars) == 0 {
		return s.checkOwner(ctx, p)
	}
	set, byName := anchor.NewID(), map[string]anchor.EnvVar{}
	for _, v := range vars {
		byName[attributeOf(v.Slot())] = v
	}
	var values, own []types.WriteRequest
	for name, v := range byName {
		if len(v.Value) > maxInside {
			key := s.t.valueKey(p, set, name).keyItem()
			own = append(own, deleteRequest(key))
			values = append(values, types.WriteRequest{PutRequest: &types.PutRequest{
				Item: item{pk: key[pk], sk: key[sk], sealedAttr: bytesValue([]byte(v.Value))},
			}})
		}
	}
	if err := s.writeBatches(ctx, what, s.t.Projects, values); err != nil {
		return err
	}
	old, err := s.setVariables(ctx, what, p, set, byName)
	if errors.Is(err, anchor.ErrNotFound) {
		// Retiring a project deletes its environment, so the reason is in the project itself.
		reason := s.checkOwner(ctx, p)
		return errors.Join(cmp.Or(reason, err), s.writeBatches(ctx, what, s.t.Projects, own))
	}
	if err != nil {
		return err
	}
	return s.writeBatches(ctx, what, s.t.Projects, s.oldValueRequests(p, set, old))
}

// attributeOf returns the name of a slot's attribute, after its prefix, and slotOf the slot.
func attributeOf(slot anchor.EnvSlot) string {
	if slot.Environment == "" {
		return slot.Name
	}
	return slot.Name + "@" + string(slot.Environment) + "@" + slot.Branch
}

func slotOf(attribute string) anchor.EnvSlot {
	part := append(strings.SplitN(attribute, "@", 3), "", "")
	return anchor.EnvSlot{Name: part[0], Environment: anchor.Environment(part[1]), Branch: part[2]}
}

// setVariables writes the variables into the project's environment and returns those that they
// replaced.
func (s *Store) setVariables(ctx context.Context, what string, p anchor.ProjectID, set string, vars map[string]anchor.EnvVar) (item, error) {
	at := s.t.envKey(p)
	names, values := map[string]string{"#pk": pk}, item{}
	var sets []string
	for name, v := range vars {
		// The aliases are short, because an expression may have 4 KB at most (DynamoDB quotas).
		alias := fmt.Sprintf("v%d", len(sets))
		names["#"+alias] = variable + name
		values[":"+alias] = variableItem(v, set)
		sets = append(sets, "#"+alias+" = :"+alias)
	}
	return s.updateItem(ctx, what, &dynamodb.UpdateItemInput{
		TableName: sdk.String(at.table), Key: at.keyItem(),
		UpdateExpression:    sdk.String("SET " + strings.Join(sets, ", ")),
		ConditionExpression: sdk.String(isThere), ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		ReturnValues: types.ReturnValueUpdatedOld,
	}, refuseWith(records.NoProject(string(p))))
}

func variableItem(v anchor.EnvVar, set string) types.AttributeValue {
	m := item{setAttr: stringValue(set), phaseAttr: stringValue(v.For), atAttr: numberValue(v.UpdatedAt)}
	if len(v.Value) <= maxInside {
		m[sealedAttr] = bytesValue([]byte(v.Value))
	}
	return &types.AttributeValueMemberM{Value: m}
}

// oldValueRequests returns the requests that delete the values which another set has replaced.
func (s *Store) oldValueRequests(p anchor.ProjectID, set string, old item) (all []types.WriteRequest) {
	for attr := range old {
		name, ours := strings.CutPrefix(attr, variable)
		v := mapOf(old, attr)
		if ours && v[sealedAttr] == nil && strOf(v, setAttr) != set {
			all = append(all, deleteRequest(s.t.valueKey(p, strOf(v, setAttr), name).keyItem()))
		}
	}
	return all
}

// EnvRows returns the project's variables with their sealed Values, by slot. An unknown project
// has none.
func (s *Store) EnvRows(ctx context.Context, p anchor.ProjectID) ([]anchor.EnvVar, error) {
	const what = "read the environment"
	for turn := (pause{what: what}); ; {
		all, err := s.getItem(ctx, what, s.t.envKey(p))
		if err != nil {
			return nil, err
		}
		vars, err := s.loadVariables(ctx, what, p, all)
		if !errors.Is(err, errReplaced) {
			return vars, err
		}
		if err := turn.wait(ctx, err); err != nil {
			return nil, err
		}
	}
}

// loadVariables reads the variables of the environment and their large values.
func (s *Store) loadVariables(ctx context.Context, what string, p anchor.ProjectID, all item) ([]anchor.EnvVar, error) {
	vars := []anchor.EnvVar{}
	var beside []address
	var missing []int
	for attr := range all {
		name, ours := strings.CutPrefix(attr, variable)
		if !ours {
			continue
		}
		m := mapOf(all, attr)
		slot := slotOf(name)
		v := anchor.EnvVar{Name: slot.Name, Environment: slot.Environment, Branch: slot.Branch, For: anchor.EnvPhase(strOf(m, phaseAttr)), UpdatedAt: numOf(m, atAttr)}
		if m[sealedAttr] == nil {
			beside = append(beside, s.t.valueKey(p, strOf(m, setAttr), name))
			missing = append(missing, len(vars))
		}
		v.Value = string(binOf(m, sealedAttr))
		vars = append(vars, v)
	}
	values, err := s.loadItems(ctx, what, beside)
	switch {
	case err != nil:
		return nil, err
	case len(values) < len(beside):
		return nil, errReplaced
	}
	for i, at := range missing {
		vars[at].Value = string(binOf(values[i], sealedAttr))
	}
	slices.SortFunc(vars, func(a, b anchor.EnvVar) int { return a.Slot().Compare(b.Slot()) })
	return vars, nil
}

// DeleteEnv removes a variable, durable on return; NotFound when the project has no variable in
// that slot.
func (s *Store) DeleteEnv(ctx context.Context, p anchor.ProjectID, slot anchor.EnvSlot) error {
	const what = "remove the variable"
	attr := variable + attributeOf(slot)
	for turn := (pause{what: what}); ; {
		all, err := s.getItem(ctx, what, s.t.envKey(p))
		switch {
		case err != nil:
			return err
		case mapOf(all, attr) == nil:
			return records.NoEnv(slot)
		}
		err = s.writeTransaction(ctx, what, change{
			at: s.t.envKey(p), set: item{"variable": nil}, when: "#variable.#set = :set",
			names:   map[string]string{"variable": attr},
			values:  item{":set": mapOf(all, attr)[setAttr]},
			refused: refuseWith(errReplaced),
		})
		if err == nil {
			return s.writeBatches(ctx, what, s.t.Projects, s.oldValueRequests(p, "", item{attr: all[attr]}))
		}
		if !errors.Is(err, errReplaced) {
			return err
		}
		if err := turn.wait(ctx, err); err != nil {
			return err
		}
	}
}
