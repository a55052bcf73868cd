package logtail

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// parse reads one event as Lambda writes it: a line that the app printed, in the runtime's text
// or JSON format (Lambda, "Working with Node.js function logs"), or a message of Lambda itself.
// Of the latter it keeps only those that report a failure.
func parse(message string) (anchor.LogLine, bool) {
	message = strings.TrimRight(message, "\r\n")
	if strings.HasPrefix(message, "{") {
		if line, ok, known := parseJSON(message); known {
			return line, ok
		}
	}
	if line, ok := parseText(message); ok {
		return line, true
	}
	if m := timedOut.FindStringSubmatch(message); m != nil {
		return anchor.LogLine{RequestID: m[1], Level: "error", Text: m[2]}, true
	}
	for _, own := range []string{"START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "INIT_START ", "XRAY TraceId: "} {
		if strings.HasPrefix(message, own) {
			return anchor.LogLine{}, false
		}
	}
	switch {
	case message == "":
		return anchor.LogLine{}, false
	case strings.HasPrefix(message, "INIT_REPORT "):
		return anchor.LogLine{Level: "error", Text: message}, true // written when the start failed
	}
	level := "info"
	if strings.HasPrefix(message, "RequestId: ") && strings.Contains(message, "Error: ") { // the runtime ended
		level = "error"
	}
	return anchor.LogLine{Level: level, Text: message}, true
}

// timedOut is "2026-11-21T20:00:00.000Z <request id> Task timed out after 3.00 seconds".
var timedOut = regexp.MustCompile(`^\S+Z ([0-9a-f-]{36}) (Task timed out after .*)$`)

// parseText reads "time TAB request id TAB level TAB text".
func parseText(message string) (anchor.LogLine, bool) {
	parts := strings.SplitN(message, "\t", 4)
	if len(parts) != 4 || !strings.HasSuffix(parts[0], "Z") {
		return anchor.LogLine{}, false
	}
	level, known := levels[parts[2]]
	if !known {
		return anchor.LogLine{}, false
	}
	id := parts[1]
	if id == "undefined" { // printed outside any request
		id = ""
	}
	return anchor.LogLine{RequestID: id, Level: level, Text: parts[3]}, true
}

// levels maps the runtimes' levels to ours.
var levels = map[string]string{
	"TRACE": "debug", "DEBUG": "debug", "INFO": "info", "WARN": "warn", "ERROR": "error", "FATAL": "error",
}

// parseJSON reads the JSON format; known is false for JSON that the app printed itself.
func parseJSON(message string) (line anchor.LogLine, ok, known bool) {
	var e struct {
		Type      string          `json:"type"` // of Lambda's own events: platform.report
		Record    json.RawMessage `json:"record"`
		Level     string          `json:"level"`
		RequestID string          `json:"requestId"`
		Message   json.RawMessage `json:"message"`
	}
	if err := json.Unmarshal([]byte(message), &e); err != nil {
		return line, false, false
	}
	if strings.HasPrefix(e.Type, "platform.") && e.Record != nil {
		var r struct{ RequestID, Status, ErrorType string }
		_ = json.Unmarshal(e.Record, &r) // missing fields are ""
		if e.Type != "platform.report" || r.Status == "success" || r.Status == "" {
			return line, false, true
		}
		return anchor.LogLine{RequestID: r.RequestID, Level: "error", Text: strings.TrimSpace("the invocation ended as " + r.Status + " " + r.ErrorType)}, true, true
	}
	level, isLevel := levels[e.Level]
	if !isLevel || e.Message == nil {
		return line, false, false
	}
	text := string(e.Message)
	var plain string
	if json.Unmarshal(e.Message, &plain) == nil {
		text = plain
	}
	return anchor.LogLine{RequestID: e.RequestID, Level: level, Text: text}, true, true
}
