package logtail

import (
	"reflect"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const request = "79b4f56e-95b1-4643-9700-2807f4e68189"

// TestParse covers the formats that the Lambda Developer Guide shows.
func TestParse(t *testing.T) {
	for message, want := range map[string]*anchor.LogLine{
		"2026-11-21T20:00:00.000Z\t" + request + "\tINFO\thello\tworld\n":                            {RequestID: request, Level: "info", Text: "hello\tworld"},
		"2026-11-21T20:00:00.000Z\tundefined\tWARN\tat start":                                        {Level: "warn", Text: "at start"},
		"2026-11-21T20:00:00.000Z\t" + request + "\tERROR\tInvoke Error \t{\"errorType\":\"Error\"}": {RequestID: request, Level: "error", Text: "Invoke Error \t{\"errorType\":\"Error\"}"},
		"2026-11-21T20:00:00.000Z\t" + request + "\tINFO\ttwo\nlines\n":                              {RequestID: request, Level: "info", Text: "two\nlines"},
		"2026-11-21T20:00:00.000Z " + request + " Task timed out after 3.00 seconds\n\n":             {RequestID: request, Level: "error", Text: "Task timed out after 3.00 seconds"},
		"RequestId: " + request + " Error: Runtime exited with error: exit status 1":                 {Level: "error", Text: "RequestId: " + request + " Error: Runtime exited with error: exit status 1"},
		"plain":                          {Level: "info", Text: "plain"},
		"a\tb\tc\td":                     {Level: "info", Text: "a\tb\tc\td"},
		`{"mine":"json"}`:                {Level: "info", Text: `{"mine":"json"}`},
		`{"type":"order","message":"x"}`: {Level: "info", Text: `{"type":"order","message":"x"}`},
		`{not json`:                      {Level: "info", Text: `{not json`},
		`{"timestamp":"2026-11-21T20:00:00Z","level":"ERROR","requestId":"` + request + `","message":"boom"}`:                            {RequestID: request, Level: "error", Text: "boom"},
		`{"timestamp":"2026-11-21T20:00:00Z","level":"DEBUG","message":{"a":1}}`:                                                         {Level: "debug", Text: `{"a":1}`},
		`{"time":"t","type":"platform.report","record":{"requestId":"` + request + `","status":"error","errorType":"Function.Unknown"}}`: {RequestID: request, Level: "error", Text: "the invocation ended as error Function.Unknown"},
		`{"time":"t","type":"platform.report","record":{"requestId":"` + request + `","metrics":{"durationMs":1},"status":"success"}}`:   nil,
		`{"time":"t","type":"platform.start","record":{"requestId":"` + request + `","version":"1"}}`:                                    nil,
		"START RequestId: " + request + " Version: 12":                                                                                   nil,
		"END RequestId: " + request: nil,
		"REPORT RequestId: " + request + "\tDuration: 1.00 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 60 MB": nil,
		"INIT_START Runtime Version: nodejs:20.v40\tRuntime Version ARN: arn:aws:lambda:eu-central-1::runtime:x":                   nil,
		"INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout":                                                     {Level: "error", Text: "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout"},
		"\n": nil,
	} {
		got, ok := parse(message)
		if ok != (want != nil) || ok && !reflect.DeepEqual(got, *want) {
			t.Errorf("%q is read as %+v, %v; want %+v", message, got, ok, want)
		}
	}
}

func TestNames(t *testing.T) {
	for stream, want := range map[string]string{"2026/11/21/[12]4f3a": "12", "2026/11/21/[$LATEST]4f3a": "$LATEST", "other": "", "[": ""} {
		if got := versionOf(stream); got != want {
			t.Errorf("the version of %q is %q", stream, got)
		}
	}
	for arn, want := range map[string]string{
		"arn:aws:lambda:eu-central-1:123456789012:function:anchor-shop-server:3": "/aws/lambda/anchor-shop-server",
		"arn:anchor:local:shop:function:default:3":                               "",
		"": "",
	} {
		if got := groupOf(arn); got != want {
			t.Errorf("the log group of %q is %q", arn, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2026-11-21T20:00:00.000Z\tundefined\tWARN\tat start")
	f.Add(`{"type":"platform.report","record":{}}`)
	f.Fuzz(func(t *testing.T, message string) {
		line, ok := parse(message)
		if ok && (line.Level == "" || line.Text == "" && message == "") {
			t.Errorf("%q is read as %+v", message, line)
		}
	})
}
