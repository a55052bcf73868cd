package install

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"go.yaml.in/yaml/v3"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// settings are the template's parameters that users may set; the others are derived.
var settings = []string{
	"BuildConnections", "BuildRepositories", "CloudFrontDistributionId", "CloudFrontDomain", "DeletionProtection", "ImageFunctionName", "LogRetentionDays",
	"OriginSecretNewest", "OriginSecretOldest", "PointInTimeRecovery", "ServerFunctionName", "SkewProtectionHours",
}

// checkParameters refuses what CloudFormation would, before anything is uploaded.
func checkParameters(set map[string]string) error {
	if len(set) == 0 {
		return nil
	}
	var takes struct {
		Parameters map[string]parameter `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal([]byte(template), &takes); err != nil {
		return fmt.Errorf("read the template's parameters: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(settings, name) {
			return anchor.Invalid("unknown_parameter", "the installation has no setting %s", name).
				Hintf("It has %s.", strings.Join(settings, ", "))
		}
		if wants := takes.Parameters[name].acceptedValues(set[name]); wants != "" {
			return anchor.Invalid("bad_parameter", "the setting %s cannot be %q", name, set[name]).
				Hintf("It takes %s: --set %s=….", wants, name)
		}
	}
	return nil
}

// parameter is the template's definition of one of the settings (CloudFormation User Guide,
// "Parameters").
type parameter struct {
	AllowedValues []string `yaml:"AllowedValues"`
	MinValue      *int     `yaml:"MinValue"`
}

// acceptedValues returns what the parameter accepts when value is not valid, else "".
func (p parameter) acceptedValues(value string) string {
	if p.AllowedValues != nil && !slices.Contains(p.AllowedValues, value) {
		return "one of " + strings.Join(p.AllowedValues, ", ")
	}
	if p.MinValue == nil {
		return ""
	}
	if n, err := strconv.Atoi(value); err != nil || n < *p.MinValue {
		return fmt.Sprintf("a whole number from %d on", *p.MinValue)
	}
	return ""
}

// chooseArchitecture returns the requested architecture, or the one that the functions have.
func (i *Installation) chooseArchitecture(s state) string {
	return cmp.Or(i.Architecture, s.settings["Architecture"], ARM64)
}

// stackParameters returns the parameters of a change set. CloudFormation would reset an omitted
// parameter to its default, so those that were once set are named again.
func (i *Installation) stackParameters(s state, c code) []types.Parameter {
	values := map[string]string{
		"Installation": i.Name, "ArtifactsBucket": i.artifactsBucket(), "HandlerKey": c.key,
		"Architecture": i.chooseArchitecture(s), "AnchorVersion": i.Version,
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
