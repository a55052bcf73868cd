package anchor

import (
	"regexp"
	"strings"
)

// envLine matches an assignment of an .env file as dotenv does.
var envLine = regexp.MustCompile("(?m)^[ \t]*(?:export[ \t]+)?([\\w.-]+)[ \t]*=" +
	"([ \t]*'(?:\\\\'|[^'])*'|[ \t]*\"(?:\\\\\"|[^\"])*\"|[ \t]*`(?:\\\\`|[^`])*`|[^#\r\n]*)[ \t]*(?:#.*)?\r?$")

// ParseEnvFile reads an .env file as dotenv does (npm: dotenv 16) and returns the names in their order. The error names the
// first line that is not an assignment.
func ParseEnvFile(text string) (names []string, values map[string]string, err error) {
	values = map[string]string{}
	at := 0
	for _, found := range envLine.FindAllStringSubmatchIndex(text, -1) {
		if err := onlyComments(text, at, found[0]); err != nil {
			return nil, nil, err
		}
		at = found[1]
		name := text[found[2]:found[3]]
		if _, before := values[name]; !before {
			names = append(names, name)
		}
		values[name] = unquoteEnv(strings.TrimSpace(text[found[4]:found[5]]))
	}
	return names, values, onlyComments(text, at, len(text))
}

func onlyComments(text string, from, to int) error {
	number := strings.Count(text[:from], "\n")
	for line := range strings.Lines(text[from:to]) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return Invalid("bad_env_file", "line %d of the file is not of the form NAME=value", number+1).
				Hintf("Correct the line, or put a # before it.")
		}
		number++
	}
	return nil
}

func unquoteEnv(value string) string {
	quote := ""
	if len(value) >= 2 && value[0] == value[len(value)-1] && strings.ContainsRune("'\"`", rune(value[0])) {
		quote, value = value[:1], value[1:len(value)-1]
	}
	if quote == `"` {
		value = strings.NewReplacer(`\n`, "\n", `\r`, "\r").Replace(value)
	}
	return strings.ReplaceAll(value, `\$`, "$")
}
