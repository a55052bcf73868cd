package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// printTable prints rows under headers in columns two spaces apart. The last column is
// cut to the terminal's width.
func (s *shell) printTable(w io.Writer, headers []string, rows [][]string) {
	widths := make([]int, len(headers))
	for _, row := range append([][]string{headers}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	fmt.Fprintln(w, s.paintText(dim, s.formatLine(headers, widths)))
	for _, row := range rows {
		fmt.Fprintln(w, s.formatLine(row, widths))
	}
}

func (s *shell) formatLine(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(cell)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
	}
	text := strings.TrimRight(b.String(), " ")
	if s.IsTerminal {
		return cutText(text, s.Width)
	}
	return text
}

// cutText shortens text to at most width columns.
func cutText(text string, width int) string {
	if utf8.RuneCountInString(text) <= width || width < 1 {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// maxBranchCell is how much of a branch's name a terminal shows, so that the columns after it have room.
const maxBranchCell = 24

// branchCell returns the name of a branch for a table.
func (s *shell) branchCell(branch string) string {
	if s.IsTerminal {
		return cutText(cleanText(branch), maxBranchCell)
	}
	return cleanText(branch)
}

// cleanText makes a text that others wrote fit for a terminal: one line, no escapes.
func cleanText(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, line)
}

// escapeControls returns text with every character escaped that a terminal would obey: names of
// files and answers of servers are not the user's own words. Line breaks and tabs stay.
func escapeControls(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			out.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

// formatAge formats the age of a time in Unix milliseconds.
func formatAge(ms int64) string {
	if ms == 0 {
		return "-"
	}
	switch d := time.Since(time.UnixMilli(ms)); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}

// formatDuration formats a duration for people.
func formatDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
}

// formatSize formats a number of bytes.
func formatSize(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	case n < 1000*1000*1000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	default:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	}
}

// shortSHA is enough of a commit's hash to find it.
func shortSHA(sha string) string { return sha[:min(len(sha), 7)] }

// shortID is enough of a deployment's id to distinguish it from its neighbours.
func shortID(id anchor.DeploymentID) string { return string(id[max(0, len(id)-6):]) }

func pluralize(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
