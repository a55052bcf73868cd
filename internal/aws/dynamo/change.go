package dynamo

import (
	"maps"
	"regexp"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// change is what a transaction does to one item: put it, set some of its attributes, delete it,
// or check a condition without a write.
type change struct {
	at     address
	put    item
	set    item
	delete bool

	// when is the condition. "#name" in it refers to the attribute of that name.
	when   string
	values item
	// names has the attributes that set and when refer to by another name than their own, because an
	// expression cannot contain it.
	names map[string]string
	// refused returns the error for a condition that does not hold. stored is nil when the item
	// does not exist.
	refused func(stored item) error
}

const (
	isThere  = "attribute_exists(#pk)"
	notThere = "attribute_not_exists(#pk)"
)

// refuseWith returns a refused that ignores what is stored.
func refuseWith(err error) func(item) error { return func(item) error { return err } }

var namePattern = regexp.MustCompile(`#\w+`)

func attributeNames(expression string) map[string]string {
	all := map[string]string{}
	for _, name := range namePattern.FindAllString(expression, -1) {
		all[name] = name[1:]
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

func nonEmpty(expression string) *string {
	if expression == "" {
		return nil
	}
	return sdk.String(expression)
}

func (c change) writeItem() types.TransactWriteItem {
	const old = types.ReturnValuesOnConditionCheckFailureAllOld
	table, when := sdk.String(c.at.table), nonEmpty(c.when)
	switch {
	case c.put != nil:
		whole := c.at.keyItem()
		maps.Copy(whole, c.put)
		return types.TransactWriteItem{Put: &types.Put{
			TableName: table, Item: whole, ConditionExpression: when, ExpressionAttributeNames: attributeNames(c.when),
			ExpressionAttributeValues: c.values, ReturnValuesOnConditionCheckFailure: old,
		}}
	case c.set != nil:
		expression, values := setExpression(c.set)
		maps.Copy(values, c.values)
		names := attributeNames(expression + " " + c.when)
		for alias, name := range c.names {
			names["#"+alias] = name
		}
		return types.TransactWriteItem{Update: &types.Update{
			TableName: table, Key: c.at.keyItem(), UpdateExpression: sdk.String(expression), ConditionExpression: when,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
			ReturnValuesOnConditionCheckFailure: old,
		}}
	case c.delete:
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: table, Key: c.at.keyItem(), ConditionExpression: when, ExpressionAttributeNames: attributeNames(c.when),
			ExpressionAttributeValues: c.values, ReturnValuesOnConditionCheckFailure: old,
		}}
	}
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: table, Key: c.at.keyItem(), ConditionExpression: when, ExpressionAttributeNames: attributeNames(c.when),
		ExpressionAttributeValues: c.values, ReturnValuesOnConditionCheckFailure: old,
	}}
}

// setExpression sets the attributes that have a value and removes those that are nil.
func setExpression(set item) (expression string, values item) {
	values = item{}
	var sets, removes []string
	for name, value := range set {
		if value == nil {
			removes = append(removes, "#"+name)
			continue
		}
		sets = append(sets, "#"+name+" = :set_"+name)
		values[":set_"+name] = value
	}
	if len(sets) > 0 {
		expression = "SET " + strings.Join(sets, ", ")
	}
	if len(removes) > 0 {
		expression += " REMOVE " + strings.Join(removes, ", ")
	}
	return strings.TrimSpace(expression), values
}
