package anchor

import (
	"encoding/json"
	"slices"
	"strings"
)

// LogLine is one line an app wrote. The JSON names are part of the API, and of the files
// that platform local keeps.
type LogLine struct {
	Time         int64        `json:"time" doc:"Unix milliseconds"`
	DeploymentID DeploymentID `json:"deploymentId"`
	Function     string       `json:"function"`
	RequestID    string       `json:"requestId,omitempty"`
	Path         string       `json:"path,omitempty" doc:"Path of the request, without its query"`
	Level        string       `json:"level"` // one of LogLevels
	Text         string       `json:"text"`
	// Fields are what a line that the app wrote as a JSON object holds beside its level and message.
	Fields map[string]any `json:"fields,omitempty" doc:"Other members of a line that the app wrote as a JSON object"`
}

// LogLevels are the levels of lines, the least important first.
var LogLevels = []string{"debug", "info", "warn", "error"}

// LogFilter selects lines. The zero value selects all.
type LogFilter struct {
	Deployment DeploymentID
	Function   string
	RequestID  string
	Path       string // the whole path
	Level      string // this level or a more important one
	Text       string // part of the text or of a field, in any case
	Since      int64  // Unix milliseconds, included
	Until      int64  // Unix milliseconds, excluded; 0 is without end
}

// Check refuses a level that does not exist and a time that ends before it begins.
func (f LogFilter) Check() error {
	if f.Level != "" && !slices.Contains(LogLevels, f.Level) {
		return Invalid("bad_level", "%q is not a level of a log line", f.Level).Hintf("Use one of %s.", strings.Join(LogLevels, ", "))
	}
	if f.Until != 0 && f.Until <= f.Since {
		return Invalid("bad_time", "the time of the log lines ends before it begins").Hintf("Set an earlier start or a later end.")
	}
	return nil
}

// Matches reports whether l is selected.
func (f LogFilter) Matches(l *LogLine) bool {
	return (f.Deployment == "" || l.DeploymentID == f.Deployment) &&
		(f.Function == "" || l.Function == f.Function) &&
		(f.RequestID == "" || l.RequestID == f.RequestID) &&
		(f.Path == "" || l.Path == f.Path) &&
		(f.Level == "" || slices.Index(LogLevels, l.Level) >= slices.Index(LogLevels, f.Level)) &&
		l.Time >= f.Since && (f.Until == 0 || l.Time < f.Until) &&
		(f.Text == "" || f.matchesText(l))
}

func (f LogFilter) matchesText(l *LogLine) bool {
	want := strings.ToLower(f.Text)
	return strings.Contains(strings.ToLower(l.Text), want) || containsText(l.Fields, want)
}

// containsText looks in the names and values of a JSON value; want is in lower case.
func containsText(value any, want string) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(strings.ToLower(v), want)
	case map[string]any:
		for name, member := range v {
			if strings.Contains(strings.ToLower(name), want) || containsText(member, want) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return containsText(item, want) })
	case nil:
	default:
		return strings.Contains(strings.ToLower(jsonText(v)), want)
	}
	return false
}

func jsonText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
