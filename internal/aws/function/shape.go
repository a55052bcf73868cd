package function

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// shape is the part of a function's configuration that follows from settings.
type shape struct {
	runtime types.Runtime
	memory  int32 // MB
	timeout int32 // seconds
	role    string
	vpc     anchor.VPC
	tracing types.TracingMode
	layers  []string
	kmsKey  string
}

// shapesOf returns the shape of each function of an artifact, by the build's name.
func shapesOf(a deploy.Artifact, w Wanted) (func(name string) shape, error) {
	runtime := types.Runtime(w.Settings.Runtime)
	if runtime == "" {
		asks, err := opennext.ReadRuntime(os.DirFS(a.Dir), a.Build)
		if err != nil {
			return nil, err
		}
		runtime = newestRuntime(asks)
	}
	durations, err := opennext.MaxDurations(os.DirFS(a.Dir), a.Build)
	if err != nil {
		return nil, err
	}
	return func(name string) shape {
		own := w.Settings.Of(name)
		s := shape{
			runtime: runtime, role: w.Role, kmsKey: w.Settings.KMSKey,
			memory:  cmp.Or(own.Memory, MemoryMB),
			timeout: cmp.Or(own.Timeout, min(max(TimeoutSeconds, durations[name]), maxTimeout)),
			tracing: types.TracingModePassThrough,
		}
		if name == Revalidation { // its queue hides a message for that long, and no longer
			s.timeout = cmp.Or(w.Settings.Functions[name].Timeout, TimeoutSeconds)
		}
		s.layers = own.Layers
		if own.Tracing == "active" || own.Tracing == anchor.TracingOTel {
			s.tracing = types.TracingModeActive
		}
		if own.VPC != nil {
			s.vpc = *own.VPC
		}
		return s
	}, nil
}

// maxTimeout is Lambda's limit, in seconds (Lambda API, CreateFunction).
const maxTimeout = 900

// node24ABI is the NODE_MODULE_VERSION of Node.js 24 (nodejs/node, doc/abi_version_registry.json).
const node24ABI = 137

// newestRuntime returns the newest runtime of Lambda that a build permits: Node.js 24, unless a
// compiled module was made for another version, or the app's engines exclude it or say so in a way
// that is not an open range.
func newestRuntime(asks opennext.Runtime) types.Runtime {
	fits := !asks.Bound && (asks.ABI == 0 || asks.ABI == node24ABI)
	if fits && (asks.Engines == "" || permits24.MatchString(asks.Engines)) {
		return types.RuntimeNodejs24x
	}
	return types.RuntimeNodejs22x
}

// permits24 matches ranges of engines.node without an upper bound that begin at 24 or below.
var permits24 = regexp.MustCompile(`^\s*(\*|>=?\s*v?([0-9]|1[0-9]|2[0-4])(\.[0-9x]+)*)\s*$`)

// covers reports whether a function has the shape.
func (s shape) covers(have *configuration) bool {
	return have.Runtime == s.runtime && sdk.ToString(have.Role) == s.role &&
		sdk.ToInt32(have.MemorySize) == s.memory && sdk.ToInt32(have.Timeout) == s.timeout &&
		s.network(have) == nil && s.traces(have) == nil && s.key(have) == nil && s.stack(have) == nil
}

// network returns what changes the network of a function, or nil when it has the shape's. have is
// nil for a new function.
func (s shape) network(have *configuration) *types.VpcConfig {
	var now anchor.VPC
	if have != nil && have.VpcConfig != nil {
		now = anchor.VPC{Subnets: have.VpcConfig.SubnetIds, SecurityGroups: have.VpcConfig.SecurityGroupIds}
	}
	if sameIDs(now.Subnets, s.vpc.Subnets) && sameIDs(now.SecurityGroups, s.vpc.SecurityGroups) {
		return nil
	}
	// Empty lists, not missing ones, remove the network (Lambda API, VpcConfig).
	return &types.VpcConfig{SubnetIds: append([]string{}, s.vpc.Subnets...), SecurityGroupIds: append([]string{}, s.vpc.SecurityGroups...)}
}

func sameIDs(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// traces is network for the tracing.
func (s shape) traces(have *configuration) *types.TracingConfig {
	now := types.TracingModePassThrough
	if have != nil && have.TracingConfig != nil && have.TracingConfig.Mode != "" {
		now = have.TracingConfig.Mode
	}
	if now == s.tracing {
		return nil
	}
	return &types.TracingConfig{Mode: s.tracing}
}

// stack is network for the layers, whose order counts. It is nil when the function has them.
func (s shape) stack(have *configuration) []string {
	var now []string
	if have != nil {
		for _, layer := range have.Layers {
			now = append(now, sdk.ToString(layer.Arn))
		}
	}
	if slices.Equal(now, s.layers) {
		return nil
	}
	return append([]string{}, s.layers...) // an empty list removes them
}

// wrapperEnv names the script that starts the runtime (Lambda: "Modifying the runtime environment").
const wrapperEnv = "AWS_LAMBDA_EXEC_WRAPPER"

// otelWrapper is the script of the layers of AWS's distribution of OpenTelemetry.
const otelWrapper = "/opt/otel-handler"

// WrapperEnv returns the variable by which a function's runtime starts with the wrapper of its settings,
// none without one.
func WrapperEnv(s anchor.FunctionSettings) map[string]string {
	switch {
	case s.Wrapper != "":
		return map[string]string{wrapperEnv: s.Wrapper}
	case s.Tracing == anchor.TracingOTel:
		return map[string]string{wrapperEnv: otelWrapper}
	}
	return nil
}

// key is network for the key of the environment variables. "" is AWS's own key.
func (s shape) key(have *configuration) *string {
	if have != nil && sdk.ToString(have.KMSKeyArn) == s.kmsKey || have == nil && s.kmsKey == "" {
		return nil
	}
	return &s.kmsKey
}

// SettingsOf reads the settings that an artifact brings in its anchor.SettingsFile, none when it has no
// such file.
func SettingsOf(a deploy.Artifact) (anchor.Settings, error) {
	text, err := fs.ReadFile(os.DirFS(a.Dir), anchor.SettingsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return anchor.Settings{}, nil
	}
	if err != nil {
		return anchor.Settings{}, err
	}
	return anchor.ParseSettingsFile(text)
}

// checkFunctionNames refuses settings of functions that the build does not have.
func (f *Functions) checkFunctionNames(a deploy.Artifact, s anchor.Settings) error {
	var known []string
	for _, p := range f.partsOf(a) {
		known = append(known, p.name)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Functions)) {
		if !slices.Contains(known, name) {
			return anchor.Invalid("unknown_function", "anchor.json has settings of the function %s, which the build does not have", name).
				Hintf("Its functions are %s.", strings.Join(known, ", "))
		}
	}
	return nil
}
