package otlp

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
)

// Log is a line of a log.
type Log struct {
	Service    string // service.name: the project
	Time       time.Time
	Level      string // debug, info, warn or error
	Text       string
	TraceID    string         // 32 hexadecimal digits, or ""
	Attributes map[string]any // empty texts are left out
}

// severities are the numbers of the levels (Logs Data Model, Field SeverityNumber).
var severities = map[string]logs.SeverityNumber{
	"debug": logs.SeverityNumber_SEVERITY_NUMBER_DEBUG, "info": logs.SeverityNumber_SEVERITY_NUMBER_INFO,
	"warn": logs.SeverityNumber_SEVERITY_NUMBER_WARN, "error": logs.SeverityNumber_SEVERITY_NUMBER_ERROR,
}

// Logs sends lines, and returns how many of them the collector refused, with its reason.
func (c Client) Logs(ctx context.Context, lines []Log) (refused int64, reason string, err error) {
	answer, err := c.post(ctx, &collector.ExportLogsServiceRequest{ResourceLogs: encodeLogs(lines)})
	if err != nil {
		return 0, "", err
	}
	var partial collector.ExportLogsServiceResponse
	if proto.Unmarshal(answer, &partial) != nil {
		partial.Reset() // a server that answers with a text has taken them
	}
	return partial.GetPartialSuccess().GetRejectedLogRecords(), partial.GetPartialSuccess().GetErrorMessage(), nil
}

func encodeLogs(lines []Log) (all []*logs.ResourceLogs) {
	of := map[string]*logs.ScopeLogs{}
	for i := range lines {
		l := &lines[i]
		scope := of[l.Service]
		if scope == nil {
			scope = &logs.ScopeLogs{Scope: &common.InstrumentationScope{Name: "anchor"}}
			of[l.Service] = scope
			all = append(all, &logs.ResourceLogs{Resource: resourceOf(l.Service), ScopeLogs: []*logs.ScopeLogs{scope}})
		}
		scope.LogRecords = append(scope.LogRecords, encodeLog(l))
	}
	return all
}

func encodeLog(l *Log) *logs.LogRecord {
	r := &logs.LogRecord{
		TimeUnixNano: nanoseconds(l.Time), ObservedTimeUnixNano: nanoseconds(l.Time),
		SeverityNumber: severities[l.Level], SeverityText: l.Level, Body: valueOf(l.Text),
	}
	if id, err := hex.DecodeString(l.TraceID); err == nil && len(id) == 16 {
		r.TraceId = id
	}
	for _, key := range slices.Sorted(maps.Keys(l.Attributes)) {
		if v := l.Attributes[key]; v != "" {
			r.Attributes = append(r.Attributes, newAttribute(key, v))
		}
	}
	return r
}
