package logs

import (
	"encoding/json"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Structure takes level, message and fields from a line whose text is one JSON object with a message, as pino, bunyan and
// winston write them. Other lines stay as they are.
func Structure(l *anchor.LogLine) {
	text := strings.TrimSpace(l.Text)
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return
	}
	var fields map[string]any
	if json.Unmarshal([]byte(text), &fields) != nil {
		return
	}
	message, key := firstString(fields, "msg", "message")
	if key == "" {
		return
	}
	delete(fields, key)
	for _, key := range []string{"level", "severity", "lvl"} {
		if level := levelOf(fields[key]); level != "" {
			l.Level = level
			delete(fields, key)
			break
		}
	}
	l.Text = message
	if len(fields) > 0 {
		l.Fields = fields
	}
}

func firstString(fields map[string]any, keys ...string) (value, key string) {
	for _, key := range keys {
		if text, ok := fields[key].(string); ok {
			return text, key
		}
	}
	return "", ""
}

// levelOf translates the name of a level, or a number of pino and bunyan: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60
// fatal. Other values have no level.
func levelOf(value any) string {
	switch v := value.(type) {
	case float64:
		switch {
		case v < 10 || v > 60:
			return ""
		case v < 30:
			return "debug"
		case v < 40:
			return "info"
		case v < 50:
			return "warn"
		default:
			return "error"
		}
	case string:
		switch strings.ToLower(v) {
		case "trace", "silly", "verbose", "debug":
			return "debug"
		case "info", "notice", "http":
			return "info"
		case "warn", "warning":
			return "warn"
		case "error", "err", "fatal", "critical", "crit", "alert", "emerg", "emergency":
			return "error"
		}
	}
	return ""
}
