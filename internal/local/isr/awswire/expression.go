package awswire

import (
	"regexp"
	"strings"
)

// condition is a parsed KeyConditionExpression with its placeholders filled in: hash = hashValue
// [AND sort op sortValue].
type condition struct {
	hash      string
	hashValue value
	sort      string // empty if there is no second half
	op        string
	sortValue value
}

var (
	keyCondition = regexp.MustCompile(`^\s*([#\w.-]+)\s*=\s*(:\w+)\s*(?:(?i:AND)\s+([#\w.-]+)\s*(=|>)\s*(:\w+)\s*)?$`)
	placeholder  = regexp.MustCompile(`^#\w+$`)
)

// parseCondition understands the forms that OpenNext's tag caches send: equality on the hash key
// alone, or with one comparison (= or >) on the sort key.
func parseCondition(expression string, names map[string]string, values map[string]value) (condition, error) {
	m := keyCondition.FindStringSubmatch(expression)
	if m == nil {
		return condition{}, validationError("Anchor answers KeyConditionExpressions of the form \"a = :x\" and \"a = :x AND b > :y\", not %q.", expression)
	}
	var c condition
	var err error
	if c.hash, c.hashValue, err = parseOperands(m[1], m[2], names, values); err != nil {
		return condition{}, err
	}
	if m[3] == "" {
		return c, nil
	}
	c.op = m[4]
	c.sort, c.sortValue, err = parseOperands(m[3], m[5], names, values)
	return c, err
}

func parseOperands(name, val string, names map[string]string, values map[string]value) (string, value, error) {
	if strings.HasPrefix(name, "#") {
		real, ok := names[name]
		if !ok || !placeholder.MatchString(name) {
			return "", value{}, validationError("ExpressionAttributeNames has no %s.", name)
		}
		name = real
	}
	v, ok := values[val]
	if !ok {
		return "", value{}, validationError("ExpressionAttributeValues has no %s.", val)
	}
	return name, v, nil
}
