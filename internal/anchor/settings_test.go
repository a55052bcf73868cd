package anchor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSettings_RefusesWhatAWSRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"memory": 64}`:                 "memory is 64",
		`{"memory": "1G"}`:               "memory is a string",
		`{"memori": 1024}`:               `unknown field "memori"`,
		`{"timeout": 901}`:               "timeout is 901",
		`{"architecture": "amd64"}`:      `architecture is "amd64"`,
		`{"runtime": "nodejs18.x"}`:      `runtime is "nodejs18.x"`,
		`{"logRetentionDays": 2}`:        "logRetentionDays is 2",
		`{"reservedConcurrency": -1}`:    "reservedConcurrency is -1",
		`{"provisionedConcurrency": -1}`: "provisionedConcurrency is -1",
		`{"provisionedConcurrency": 3, "reservedConcurrency": 2}`: "more than its reservedConcurrency of 2",
		`{"warmer": 101}`:                                                           "warmer is 101",
		`{"warmer": 3, "reservedConcurrency": 2}`:                                   "more than its reservedConcurrency of 2",
		`{"functions": {"revalidation": {"warmer": 1}}}`:                            "functions.revalidation.warmer is 1",
		`{"tracing": "otel"}`:                                                       "layers names no layer",
		`{"layers": ["arn:aws:lambda:eu-central-1:123456789012:layer:x"]}`:          "not the ARN of a layer's version",
		`{"layers": ["a", "a", "a", "a", "a", "a"]}`:                                "layers has 6 ARNs",
		`{"wrapper": "/opt/../bin/sh"}`:                                             `wrapper is "/opt/../bin/sh"`,
		`{"tracing": "on"}`:                                                         `tracing is "on"`,
		`{"vpc": {"subnets": ["subnet-01234567"]}}`:                                 "vpc.securityGroups has 0 ids",
		`{"vpc": {"subnets": ["a"], "securityGroups": ["b"]}}`:                      `vpc.subnets has "a"`,
		`{"kmsKey": "alias/x"}`:                                                     "kmsKey is",
		`{"webAcl": "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/a/b"}`: "webAcl is",
		`{"tags": {"Project": "x"}}`:                                                "Anchor's own",
		`{"tags": {"aws:x": "y"}}`:                                                  "begins with aws:",
		`{"alarms": {"topic": "arn:aws:sns:eu-central-1:123456789012:x"}}`:          "no threshold",
		`{"functions": {"revalidation": {"timeout": 181}}}`:                         "revalidation.timeout is 181",
		`{"functions": {"api": {"memory": 1}}}`:                                     "functions.api.memory is 1",
		`{"functions": {"api": {"runtime": "nodejs22.x"}}}`:                         `unknown field "runtime"`,
	} {
		_, err := ParseSettings([]byte(text))
		if CodeOf(err) != "bad_settings" || !strings.Contains(err.Error(), want) || HintOf(err) == "" {
			t.Errorf("%s: %v (hint %q), want %q", text, err, HintOf(err), want)
		}
	}
}

func TestSettings_Over(t *testing.T) {
	set, err := ParseSettings([]byte(`{"memory": 2048, "timeout": 60, "tags": {"Team": "web", "Cost": "1"}, "reservedConcurrency": 5, "provisionedConcurrency": 2, "warmer": 4,
		"functions": {"api": {"memory": 512, "timeout": 90, "warmer": 1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	file, err := ParseSettings([]byte(`{"memory": 3072, "tags": {"Cost": "2"}, "functions": {"api": {"memory": 256}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := file.Over(set)
	if diff := cmp.Diff(map[string]string{"Team": "web", "Cost": "2"}, got.Tags); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]FunctionSettings{
		ServerFunction: {Memory: 3072, Timeout: 60, ReservedConcurrency: 5, ProvisionedConcurrency: 2, Warmer: 4},
		ImageFunction:  {Memory: 3072, Timeout: 60}, // a reservation is not multiplied
		"api":          {Memory: 256, Timeout: 90, Warmer: 1},
	} {
		if diff := cmp.Diff(want, got.Of(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if diff := cmp.Diff(map[string]int32{ServerFunction: 4, "api": 1}, got.Warmed()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"functions", "memory", "provisionedConcurrency", "reservedConcurrency", "tags", "timeout", "warmer"}, got.Names()); diff != "" {
		t.Error(diff)
	}
}
