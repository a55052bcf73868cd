package stack

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// settings are the template's parameters that users may set; the others are derived.
var settings = []string{"DeletionProtection", "LogRetentionDays", "OriginSecretNewest", "OriginSecretOldest", "PointInTimeRecovery"}

func checkParameters(set map[string]string) error {
	for name := range set {
		if !slices.Contains(settings, name) {
			return anchor.Invalid("unknown_parameter", "the installation has no setting %s", name).
				Hintf("It has %s.", strings.Join(settings, ", "))
		}
	}
	return nil
}

// architecture is the one asked for, else the one the functions have.
func (i *Installation) architecture(s state) string {
	return cmp.Or(i.Architecture, s.settings["Architecture"], ARM64)
}

// parameters of a change set. CloudFormation would put a parameter that is not named
// back to its default, so what was set once is named again.
func (i *Installation) parameters(s state, c code) []types.Parameter {
	values := map[string]string{
		"Installation": i.Name, "ArtifactsBucket": i.artifactsBucket(), "HandlerKey": c.key,
		"Architecture": i.architecture(s), "AnchorVersion": i.Version,
	}
	for _, name := range settings {
		if value, ok := s.settings[name]; ok {
			values[name] = value
		}
	}
	maps.Copy(values, i.Parameters)
	var all []types.Parameter
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, types.Parameter{ParameterKey: sdk.String(name), ParameterValue: sdk.String(values[name])})
	}
	return all
}
