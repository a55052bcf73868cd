package install

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"go.yaml.in/yaml/v3"

	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// outline is the part of a template that says which resources a new stack has.
type outline struct {
	Parameters map[string]struct {
		Default string `yaml:"Default"`
	} `yaml:"Parameters"`
	Conditions map[string]yaml.Node `yaml:"Conditions"`
	Resources  map[string]struct {
		Type      string `yaml:"Type"`
		Condition string `yaml:"Condition"`
	} `yaml:"Resources"`
}

// outlineChanges returns the changes of a stack that does not exist: all that the template creates with
// the parameters. CloudFormation cannot compute them before there is a bucket from which it can read a template
// that is too large for a request, and a plan creates none.
func outlineChanges(text string, parameters []types.Parameter) ([]installation.Change, error) {
	var o outline
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	values := map[string]string{}
	for name, p := range o.Parameters {
		values[name] = p.Default
	}
	for _, p := range parameters {
		values[sdk.ToString(p.ParameterKey)] = sdk.ToString(p.ParameterValue)
	}
	var changes []installation.Change
	for _, name := range slices.Sorted(maps.Keys(o.Resources)) {
		r := o.Resources[name]
		if r.Condition != "" {
			condition := o.Conditions[r.Condition]
			value, err := evaluate(&condition, values)
			if err != nil {
				return nil, fmt.Errorf("condition %s of the template: %w", r.Condition, err)
			}
			if value != "true" {
				continue
			}
		}
		changes = append(changes, installation.Change{Action: "add", Resource: name, Type: r.Type})
	}
	return changes, nil
}

// evaluate returns the value of an expression of a condition: of those intrinsic functions that the template's
// conditions consist of. Booleans are "true" and "false", and lists are joined by commas.
func evaluate(n *yaml.Node, values map[string]string) (string, error) {
	if n.Tag == "!Ref" {
		return values[n.Value], nil
	}
	if n.Kind == yaml.ScalarNode {
		return n.Value, nil
	}
	var arguments []string
	for _, argument := range n.Content {
		value, err := evaluate(argument, values)
		if err != nil {
			return "", err
		}
		arguments = append(arguments, value)
	}
	switch {
	case n.Tag == "!Equals" && len(arguments) == 2:
		return fmt.Sprint(arguments[0] == arguments[1]), nil
	case n.Tag == "!Not" && len(arguments) == 1:
		return fmt.Sprint(arguments[0] != "true"), nil
	case n.Tag == "!Join" && len(arguments) == 2:
		return strings.ReplaceAll(arguments[1], ",", arguments[0]), nil
	}
	return "", fmt.Errorf("%s with %d arguments is not supported", n.Tag, len(arguments))
}
