package build

import (
	"regexp"
	"strings"
)

// Cause is why a command of a build failed, as far as its output shows it.
type Cause struct {
	Text        string // the line that says it, "" when none does
	DiskFull    bool
	OutOfMemory bool
}

// maxCause is the length of a Cause's text, in bytes.
const maxCause = 300

var (
	diskFull    = regexp.MustCompile(`\bENOSPC\b|(?i:no space left on device|disk quota exceeded)`)
	outOfMemory = regexp.MustCompile(`JavaScript heap out of memory|std::bad_alloc|\bENOMEM\b|Cannot allocate memory|memory allocation of \d+ bytes failed`)
)

// causes are lines that say why a command failed, the more telling ones first. The first group of an
// expression is the text. The words are those of Next.js ("Failed to compile", "Error occurred
// prerendering page"), TypeScript, npm, pnpm, Yarn, Bun and Node.js.
var causes = []*regexp.Regexp{
	regexp.MustCompile(`^\s*(Type error: .+)`),
	regexp.MustCompile(`^\s*(Module not found: .+)`),
	regexp.MustCompile(`(Error occurred prerendering page "[^"]*")`),
	regexp.MustCompile(`^\s*\d+:\d+\s+(Error: .+)`), // of ESLint
	regexp.MustCompile(`^npm (?:error|ERR!) (?:\d{3} )?(\S.{8,})`),
	regexp.MustCompile(`\b(ERR_PNPM_[A-Z0-9_]+ .+)`),
	regexp.MustCompile(`(YN\d{4}: .*(?:lockfile|Failed|couldn't|can't|No candidates|not found).*)`),
	regexp.MustCompile(`^\s*((?:\w*Error|error)(?: \[[A-Z_]+\])?: .+)`),
	regexp.MustCompile(`^error (.+)`), // of Yarn 1
}

// details are the texts of lines that would match but name no cause: npm's codes and what it ran.
var details = regexp.MustCompile(`^(?:code|errno|syscall|path|dest|command) |^[A-Z]{4,} `)

// withPlace are the numbers of those causes that the line of a file comes before.
const withPlace = 2

// npmCause is the number of the one that details are excluded from.
const npmCause = 4

var place = regexp.MustCompile(`^\s*(\.{1,2}/\S+)\s*$`)

// FindCause looks for the cause of a failure in the lines that a command printed.
func FindCause(lines []string) Cause {
	var c Cause
	for _, line := range lines {
		c.DiskFull = c.DiskFull || diskFull.MatchString(line)
		c.OutOfMemory = c.OutOfMemory || outOfMemory.MatchString(line)
	}
	for n, pattern := range causes {
		for i, line := range lines {
			found := pattern.FindStringSubmatch(line)
			if found == nil || details.MatchString(found[1]) && n == npmCause {
				continue
			}
			c.Text = strings.TrimSpace(found[1])
			if n < withPlace && i > 0 {
				if at := place.FindStringSubmatch(lines[i-1]); at != nil {
					c.Text = at[1] + ": " + c.Text
				}
			}
			if len(c.Text) > maxCause {
				c.Text = strings.ToValidUTF8(c.Text[:maxCause], "") + "…"
			}
			return c
		}
	}
	return c
}
