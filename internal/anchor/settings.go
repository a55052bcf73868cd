package anchor

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Settings are a project's settings for AWS. A field that is not set is zero, and means the default.
// anchor.json has them under "aws"; those of a deployment's anchor.json take precedence over the
// project's own.
type Settings struct {
	FunctionSettings

	Architecture     string            `json:"architecture,omitempty" enum:"arm64,x86_64" doc:"Of the functions; the default is arm64 if all native modules of the build run on it, else x86_64"`
	Runtime          string            `json:"runtime,omitempty" enum:"nodejs22.x,nodejs24.x" doc:"Lambda runtime; the default is the newest that the build permits"`
	LogRetentionDays int32             `json:"logRetentionDays,omitempty" doc:"How many days the functions' logs are kept: one of the periods of CloudWatch Logs"`
	KMSKey           string            `json:"kmsKey,omitempty" doc:"ARN of the KMS key that encrypts environment variables and logs"`
	WebACL           string            `json:"webAcl,omitempty" doc:"ARN of the AWS WAF web ACL of the distribution, of scope CLOUDFRONT"`
	Tags             map[string]string `json:"tags,omitempty" doc:"Tags of the functions and the distribution"`
	Alarms           *Alarms           `json:"alarms,omitempty" doc:"CloudWatch alarms of each function"`

	Functions map[string]FunctionSettings `json:"functions,omitempty" doc:"What differs for one function, by its name in the build: default, imageOptimizer, revalidation or a split function's"`
}

// FunctionSettings are settings that each function may have for itself.
type FunctionSettings struct {
	Memory              int32 `json:"memory,omitempty" doc:"MB; it also sets the share of a processor"`
	Timeout             int32 `json:"timeout,omitempty" doc:"Seconds; the default is the largest maxDuration of the function's routes, at least 30"`
	ReservedConcurrency int32 `json:"reservedConcurrency,omitempty" doc:"How many instances are reserved, which is also the most that run"`
	// ProvisionedConcurrency belongs to the alias live: it follows each switch.
	ProvisionedConcurrency int32    `json:"provisionedConcurrency,omitempty" doc:"How many instances of the live version are kept started, which costs by the hour"`
	Warmer                 int32    `json:"warmer,omitempty" doc:"How many instances of the live version the events of OpenNext's warmer keep started, which are sent every five minutes"`
	Tracing                string   `json:"tracing,omitempty" enum:"active,otel,passthrough" doc:"active: AWS X-Ray records requests; otel: the OpenTelemetry layer among layers does"`
	Layers                 []string `json:"layers,omitempty" doc:"ARNs of versions of Lambda layers, in the functions' region and for their architecture"`
	Wrapper                string   `json:"wrapper,omitempty" doc:"Script of a layer that starts the runtime; with tracing=otel the default is /opt/otel-handler"`
	VPC                    *VPC     `json:"vpc,omitempty" doc:"The network that the function runs in"`
}

// VPC is where functions have network interfaces.
type VPC struct {
	Subnets        []string `json:"subnets" doc:"Ids, of at least one subnet"`
	SecurityGroups []string `json:"securityGroups" doc:"Ids, of at least one security group"`
}

// Alarms are thresholds, each for five minutes and one function. 0 makes no alarm.
type Alarms struct {
	Topic      string `json:"topic,omitempty" doc:"ARN of the SNS topic that is notified"`
	Errors     int32  `json:"errors,omitempty" doc:"Responses with a status of 500 or more"`
	Throttles  int32  `json:"throttles,omitempty" doc:"Invocations that Lambda refused for lack of concurrency"`
	DurationMS int32  `json:"durationMs,omitempty" doc:"Milliseconds that 95 of 100 invocations stay below"`
}

// TracingOTel is the Tracing of a layer of OpenTelemetry.
const TracingOTel = "otel"

// The largest sizes that Lambda accepts (Lambda API, CreateFunction), and AWS's limit of tags.
const (
	minMemoryMB = 128
	maxMemoryMB = 10240
	maxTimeout  = 900
	maxTags     = 40 // of 50; Anchor has its own
	maxLayers   = 5
	maxWarmer   = 100 // the handler that sends the events has 128 MB

	// maxRevalidation is the visibility timeout of the revalidation queue, which a function's timeout
	// cannot exceed (Lambda: "Using Lambda with Amazon SQS").
	maxRevalidation = 180
)

// logRetention holds the periods that CloudWatch Logs accepts (CloudWatch Logs API, PutRetentionPolicy).
var logRetention = []int32{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

var (
	subnetID = regexp.MustCompile(`^subnet-[0-9a-f]{8,17}$`)
	layerARN = regexp.MustCompile(`^arn:aws:lambda:[a-z0-9-]+:\d{12}:layer:[a-zA-Z0-9_-]+:\d+$`)
	wrapper  = regexp.MustCompile(`^/opt/[a-zA-Z0-9_./-]+$`)
	groupID  = regexp.MustCompile(`^sg-[0-9a-f]{8,17}$`)
	keyARN   = regexp.MustCompile(`^arn:aws:kms:[a-z0-9-]+:\d{12}:(key|alias)/[a-zA-Z0-9/_-]+$`)
	topicARN = regexp.MustCompile(`^arn:aws:sns:[a-z0-9-]+:\d{12}:[a-zA-Z0-9_-]+$`)
	aclARN   = regexp.MustCompile(`^arn:aws:wafv2:us-east-1:\d{12}:global/webacl/[\w-]+/[\w-]+$`)
	tagText  = regexp.MustCompile(`^[\pL\pZ\pN_.:/=+\-@]*$`)
)

// ownTags are the tags by which Anchor finds and guards what it created.
var ownTags = []string{"Project", "ManagedBy", "Installation"}

// CheckSettings refuses settings that AWS would refuse, or that would separate resources from Anchor.
func CheckSettings(s Settings) error {
	if err := s.check(""); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.Functions)) {
		if name == "" || len(name) > 64 {
			return badSettings("functions has the name %q", name).Hintf("Use a function's name in open-next.config, or default, imageOptimizer or revalidation.")
		}
		if err := s.Functions[name].check("functions." + name + "."); err != nil {
			return err
		}
		if timeout := s.Functions[name].Timeout; name == "revalidation" && timeout > maxRevalidation {
			return badSettings("functions.revalidation.timeout is %d", timeout).Hintf("Its queue permits at most %d seconds.", maxRevalidation)
		}
		if s.Functions[name].Warmer > 0 && name == "revalidation" {
			return badSettings("functions.revalidation.warmer is %d", s.Functions[name].Warmer).
				Hintf("No visitor waits for this function. Set warmer for functions that answer requests.")
		}
	}
	if err := s.checkTogether(); err != nil {
		return err
	}
	switch {
	case s.Architecture != "" && s.Architecture != "arm64" && s.Architecture != "x86_64":
		return badSettings("architecture is %q", s.Architecture).Hintf("Use arm64 or x86_64.")
	case s.Runtime != "" && s.Runtime != RuntimeNode22 && s.Runtime != RuntimeNode24:
		return badSettings("runtime is %q", s.Runtime).Hintf("Use %s or %s.", RuntimeNode22, RuntimeNode24)
	case s.LogRetentionDays != 0 && !slices.Contains(logRetention, s.LogRetentionDays):
		return badSettings("logRetentionDays is %d", s.LogRetentionDays).Hintf("CloudWatch Logs accepts 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, and more years.")
	case s.KMSKey != "" && !keyARN.MatchString(s.KMSKey):
		return badSettings("kmsKey is %q, which is not the ARN of a KMS key", s.KMSKey).Hintf("Use an ARN such as arn:aws:kms:eu-central-1:123456789012:key/….")
	case s.WebACL != "" && !aclARN.MatchString(s.WebACL):
		return badSettings("webAcl is %q, which is not the ARN of a web ACL for CloudFront", s.WebACL).
			Hintf("Create the web ACL with scope CLOUDFRONT in us-east-1, and use its ARN: arn:aws:wafv2:us-east-1:123456789012:global/webacl/NAME/ID.")
	}
	if err := checkTags(s.Tags); err != nil {
		return err
	}
	return s.Alarms.check()
}

// checkTogether refuses settings of a function that contradict each other.
func (s Settings) checkTogether() error {
	names := append([]string{ServerFunction}, slices.Sorted(maps.Keys(s.Functions))...)
	for _, name := range names {
		own := s.Of(name)
		switch {
		case own.ReservedConcurrency > 0 && own.ProvisionedConcurrency > own.ReservedConcurrency:
			return badSettings("provisionedConcurrency of the function %s is %d, more than its reservedConcurrency of %d",
				name, own.ProvisionedConcurrency, own.ReservedConcurrency).Hintf("Reserve as many at least.")
		case own.ReservedConcurrency > 0 && own.Warmer > own.ReservedConcurrency:
			return badSettings("warmer of the function %s is %d, more than its reservedConcurrency of %d",
				name, own.Warmer, own.ReservedConcurrency).Hintf("Reserve as many at least.")
		case own.Tracing == TracingOTel && len(own.Layers) == 0:
			return badSettings("tracing of the function %s is otel, and layers names no layer of OpenTelemetry", name).
				Hintf("Set layers to its ARN in your region and architecture: docs/aws.md, Settings of a project.")
		}
	}
	return nil
}

func (f FunctionSettings) check(prefix string) error {
	switch {
	case f.Memory != 0 && (f.Memory < minMemoryMB || f.Memory > maxMemoryMB):
		return badSettings("%smemory is %d", prefix, f.Memory).Hintf("Lambda accepts %d to %d MB.", minMemoryMB, maxMemoryMB)
	case f.Timeout < 0 || f.Timeout > maxTimeout:
		return badSettings("%stimeout is %d", prefix, f.Timeout).Hintf("Lambda accepts 1 to %d seconds.", maxTimeout)
	case f.ReservedConcurrency < 0:
		return badSettings("%sreservedConcurrency is %d", prefix, f.ReservedConcurrency).Hintf("Use 1 or more; none removes the reservation.")
	case f.ProvisionedConcurrency < 0:
		return badSettings("%sprovisionedConcurrency is %d", prefix, f.ProvisionedConcurrency).Hintf("Use 1 or more; none ends it.")
	case f.Warmer < 0 || f.Warmer > maxWarmer:
		return badSettings("%swarmer is %d", prefix, f.Warmer).Hintf("Use 1 to %d instances; none ends it.", maxWarmer)
	case f.Tracing != "" && f.Tracing != "active" && f.Tracing != TracingOTel && f.Tracing != "passthrough":
		return badSettings("%stracing is %q", prefix, f.Tracing).Hintf("Use active, otel or passthrough.")
	case len(f.Layers) > maxLayers:
		return badSettings("%slayers has %d ARNs", prefix, len(f.Layers)).Hintf("Lambda accepts %d layers for a function.", maxLayers)
	case f.Wrapper != "" && (!wrapper.MatchString(f.Wrapper) || strings.Contains(f.Wrapper, "..")):
		return badSettings("%swrapper is %q", prefix, f.Wrapper).Hintf("Use the path of a layer's script, such as /opt/otel-handler.")
	}
	for _, arn := range f.Layers {
		if !layerARN.MatchString(arn) {
			return badSettings("%slayers has %q, which is not the ARN of a layer's version", prefix, arn).
				Hintf("Use ARNs with a version, such as arn:aws:lambda:eu-central-1:123456789012:layer:NAME:1.")
		}
	}
	if f.VPC == nil {
		return nil
	}
	for _, list := range []struct {
		name, like string
		ids        []string
		form       *regexp.Regexp
	}{{"subnets", "subnet-0123456789abcdef0", f.VPC.Subnets, subnetID}, {"securityGroups", "sg-0123456789abcdef0", f.VPC.SecurityGroups, groupID}} {
		if len(list.ids) == 0 || len(list.ids) > 16 {
			return badSettings("%svpc.%s has %d ids", prefix, list.name, len(list.ids)).
				Hintf("A VPC needs 1 to 16 subnets and security groups: vpc.subnets and vpc.securityGroups.")
		}
		for _, id := range list.ids {
			if !list.form.MatchString(id) {
				return badSettings("%svpc.%s has %q, which is not an id", prefix, list.name, id).Hintf("Use ids such as %s.", list.like)
			}
		}
	}
	return nil
}

// checkTags refuses what TagResource refuses, and Anchor's own tags.
func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return badSettings("there are %d tags", len(tags)).Hintf("Use at most %d.", maxTags)
	}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		value := tags[name]
		switch {
		case name == "" || len(name) > 128 || len(value) > 256 || !tagText.MatchString(name) || !tagText.MatchString(value):
			return badSettings("the tag %q cannot be %q", name, value).
				Hintf("Use letters, digits, spaces and _ . : / = + - @, at most 128 in a name and 256 in a value.")
		case strings.HasPrefix(strings.ToLower(name), "aws:"):
			return badSettings("the tag %q begins with aws:", name).Hintf("AWS reserves such names. Choose another one.")
		case slices.Contains(ownTags, name):
			return badSettings("the tag %q is Anchor's own", name).Hintf("Choose another name than %s.", strings.Join(ownTags, ", "))
		}
	}
	return nil
}

func (a *Alarms) check() error {
	switch {
	case a == nil:
		return nil
	case a.Topic != "" && !topicARN.MatchString(a.Topic):
		return badSettings("alarms.topic is %q, which is not the ARN of an SNS topic", a.Topic).Hintf("Use an ARN such as arn:aws:sns:eu-central-1:123456789012:alerts.")
	case a.Errors < 0 || a.Throttles < 0 || a.DurationMS < 0:
		return badSettings("an alarm has a negative threshold").Hintf("Use 1 or more; none removes the alarm.")
	case a.Errors+a.Throttles+a.DurationMS == 0:
		return badSettings("alarms has no threshold").Hintf("Set alarms.errors, alarms.throttles or alarms.durationMs.")
	}
	return nil
}

func badSettings(format string, args ...any) *Error { return Invalid("bad_settings", format, args...) }

// ParseSettings reads Settings from JSON and checks them. It refuses unknown keys: a misspelt one
// would be a setting that silently has no effect.
func ParseSettings(text []byte) (Settings, error) {
	var s Settings
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		if e := (*json.UnmarshalTypeError)(nil); errors.As(err, &e) {
			return s, badSettings("%s is a %s", e.Field, e.Value).Because(err).Hintf("Use a value of the type that docs/aws.md shows under Settings of a project.")
		}
		return s, badSettings("%s", strings.TrimPrefix(err.Error(), "json: ")).Because(err).Hintf("docs/aws.md lists the settings under Settings of a project.")
	}
	return s, CheckSettings(s)
}

// Over returns s completed by base: where s sets nothing, base's value counts. Tags and functions are
// merged by name; networks, layers and alarms are replaced as a whole.
func (s Settings) Over(base Settings) Settings {
	s.FunctionSettings = s.FunctionSettings.Over(base.FunctionSettings)
	s.Architecture, s.Runtime = cmp.Or(s.Architecture, base.Architecture), cmp.Or(s.Runtime, base.Runtime)
	s.LogRetentionDays = cmp.Or(s.LogRetentionDays, base.LogRetentionDays)
	s.KMSKey, s.WebACL = cmp.Or(s.KMSKey, base.KMSKey), cmp.Or(s.WebACL, base.WebACL)
	s.Alarms = cmp.Or(s.Alarms, base.Alarms)
	tags := maps.Clone(base.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, s.Tags)
	functions := map[string]FunctionSettings{}
	maps.Copy(functions, base.Functions)
	for name, own := range s.Functions {
		functions[name] = own.Over(base.Functions[name])
	}
	s.Tags, s.Functions = nilIfEmpty(tags), nilIfEmpty(functions)
	return s
}

// Over returns f completed by base.
func (f FunctionSettings) Over(base FunctionSettings) FunctionSettings {
	return FunctionSettings{
		Memory: cmp.Or(f.Memory, base.Memory), Timeout: cmp.Or(f.Timeout, base.Timeout),
		ReservedConcurrency:    cmp.Or(f.ReservedConcurrency, base.ReservedConcurrency),
		ProvisionedConcurrency: cmp.Or(f.ProvisionedConcurrency, base.ProvisionedConcurrency),
		Warmer:                 cmp.Or(f.Warmer, base.Warmer),
		Tracing:                cmp.Or(f.Tracing, base.Tracing), VPC: cmp.Or(f.VPC, base.VPC),
		Layers: firstOf(f.Layers, base.Layers), Wrapper: cmp.Or(f.Wrapper, base.Wrapper),
	}
}

func firstOf(own, base []string) []string {
	if len(own) > 0 {
		return own
	}
	return base
}

// Of returns the settings of one function, by its name in the build. A reserved or provisioned
// concurrency or a warmer of the whole project applies to the server function: for each, it would be a multiple.
func (s Settings) Of(function string) FunctionSettings {
	base := s.FunctionSettings
	if function != ServerFunction {
		base.ReservedConcurrency, base.ProvisionedConcurrency, base.Warmer = 0, 0, 0
	}
	return s.Functions[function].Over(base)
}

// Warmed returns how many instances of each function the warmer keeps started, by the function's name in the
// build; only functions of which it keeps any.
func (s Settings) Warmed() map[string]int32 {
	warmed := map[string]int32{}
	for _, name := range append(slices.Collect(maps.Keys(s.Functions)), ServerFunction) {
		if n := s.Of(name).Warmer; n > 0 {
			warmed[name] = n
		}
	}
	return warmed
}

// Names returns the names of the settings that are set, sorted, as anchor projects set takes them.
func (s Settings) Names() []string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it has only texts, numbers and lists of them
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		panic(err)
	}
	return slices.Sorted(maps.Keys(all))
}

// IsZero reports whether nothing is set.
func (s Settings) IsZero() bool { return len(s.Names()) == 0 }

// ProjectSettings are a project's settings for AWS and what they mean on its server.
type ProjectSettings struct {
	Settings  Settings  `json:"settings" doc:"What anchor projects set has set"`
	File      *Settings `json:"file,omitempty" doc:"What the anchor.json of the newest production deployment sets; it takes precedence"`
	Effective Settings  `json:"effective" doc:"Both together"`
	AppliedAt int64     `json:"appliedAt,omitempty" doc:"When those that need no deployment were applied last, in Unix milliseconds"`
	Failure   string    `json:"failure,omitempty" doc:"Why some of those were not applied; they are tried again"`
}

func nilIfEmpty[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return m
}

// SettingsFile is where an artifact has the settings of the app's anchor.json: a file with them under
// the key "aws".
const SettingsFile = "anchor-settings.json"

// ParseSettingsFile reads the settings in a SettingsFile. Other keys than "aws" are not read.
func ParseSettingsFile(text []byte) (Settings, error) {
	var file struct {
		AWS json.RawMessage `json:"aws"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return Settings{}, badSettings("%s is not a JSON object: %v", SettingsFile, err).Because(err).Hintf("Correct the file and deploy again.")
	}
	if file.AWS == nil {
		return Settings{}, nil
	}
	return ParseSettings(file.AWS)
}

// SettingsRecord is what the records of an installation on AWS hold of a project's settings.
type SettingsRecord struct {
	Set  Settings  // by anchor projects set
	File *Settings // of the anchor.json of the newest production deployment; nil before the first
	// Applied are those of the settings without a deployment that AWS has, and AppliedTo the functions
	// in Lambda that have them.
	Applied   Settings
	AppliedTo []string
	AppliedAt int64  // Unix milliseconds
	Failure   string // of the last attempt to apply them; "" when it succeeded
}

// Effective returns what counts: the file's settings over those that were set.
func (r SettingsRecord) Effective() Settings {
	if r.File == nil {
		return r.Set
	}
	return r.File.Over(r.Set)
}
