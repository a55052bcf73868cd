package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// page80 is the width of what is to be read and copied.
const page80 = 80

// domainAdded prints what to do now for the domains that were added together.
func (s *shell) domainAdded(w io.Writer, project string, added []wire.Domain) {
	for _, d := range added {
		name := d.Name
		if d.Unicode != d.Name {
			name += " (" + cleanText(d.Unicode) + ")"
		}
		effect := "."
		if d.Redirect != "" {
			effect = "; it redirects to " + cleanText(d.Redirect) + "."
		}
		printWrapped(w, "", s.paintText(green, "✓")+" Added "+name+" to "+project+effect)
		if d.Note != "" {
			printWrapped(w, "  ", "Note: "+cleanText(d.Note))
		}
		for _, warning := range d.Warnings {
			printWrapped(w, "  ", s.paintText(bold, "Warning: ")+cleanText(warning))
		}
	}
	s.domainRecords(w, added)
}

// domainRecords prints the records to set, and never shortens them: they are copied from here.
func (s *shell) domainRecords(w io.Writer, domains []wire.Domain) {
	zone := zoneOf(domains[0].Name)
	var rows [][]string
	choice := false
	for _, d := range domains {
		records := slices.Clone(d.Records)
		if d.Target != nil {
			records = append(records, d.Target.Records...)
			choice = choice || len(d.Target.Records) > 1
		}
		for _, r := range records {
			rows = append(rows, []string{cleanText(r.Type), cleanText(r.Name), hostIn(zone, r.Name), cleanText(r.Value)})
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "\nSet %s at the DNS provider of %s:\n\n", map[bool]string{true: "this record", false: "these records"}[len(rows) == 1], zone)
	s.recordTable(w, rows)
	fmt.Fprintln(w)
	printWrapped(w, "", "Most DNS providers ask for HOST in a field named Host or Name (@ is the domain itself); some ask for the full NAME. Set the TTL to automatic, or to 300.")
	if choice {
		printWrapped(w, "", "For each NAME, set either its CNAME record or its A and AAAA records. One of A and AAAA is enough.")
	}
}

// recordTable prints a table where it fits a page and else a block a record.
func (s *shell) recordTable(w io.Writer, rows [][]string) {
	headers := []string{"TYPE", "NAME", "HOST", "VALUE"}
	widths := make([]int, len(headers))
	total := 2 + 2*(len(headers)-1)
	for i := range headers {
		for _, row := range append([][]string{headers}, rows...) {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		total += widths[i]
	}
	if total > page80 {
		s.recordBlocks(w, headers, rows)
		return
	}
	plain := shell{} // knows no terminal and cuts nothing
	fmt.Fprintln(w, "  "+s.paintText(dim, plain.formatLine(headers, widths)))
	for _, row := range rows {
		fmt.Fprintln(w, "  "+plain.formatLine(row, widths))
	}
}

func (s *shell) recordBlocks(w io.Writer, headers []string, rows [][]string) {
	for i, row := range rows {
		if i > 0 {
			fmt.Fprintln(w)
		}
		for j, cell := range row {
			fmt.Fprintf(w, "  %s  %s\n", s.paintText(dim, padText(headers[j], 5)), cell)
		}
	}
}

// zoneOf returns the registered domain, in whose zone the records are set.
func zoneOf(name string) string {
	parsed, err := domains.Parse(name)
	if err != nil {
		return cleanText(name)
	}
	return parsed.Registrable
}

// hostIn returns a record's name as it is written within its zone (RFC 1035 §5.1).
func hostIn(zone, name string) string {
	if name == zone {
		return "@"
	}
	return cleanText(strings.TrimSuffix(name, "."+zone))
}

// domainChecked prints the state of a domain, and again what to set if that is not done.
func (s *shell) domainChecked(w io.Writer, d wire.Domain) {
	fmt.Fprintf(w, "%s %s\n", s.paintText(bold, cleanText(d.Unicode)), domainState(d))
	findings := findingsOf(d)
	for _, f := range findings {
		s.printFinding(w, f)
	}
	s.printCertificate(w, d)
	if d.Problem != "" && (len(findings) == 0 || d.Diagnosis.OK) {
		printWrapped(w, "  ", cleanText(d.Problem))
	}
	if d.IsActive && (d.Diagnosis == nil || d.Diagnosis.OK) {
		return
	}
	if d.Diagnosis != nil && !d.Diagnosis.OK {
		s.domainRecords(w, []wire.Domain{d})
	}
	if d.Status != anchor.HostRemoving {
		fmt.Fprintln(w, "\nAnchor keeps checking; you do not need to run this command again.")
	}
}

func domainState(d wire.Domain) string {
	switch d.Status {
	case anchor.HostPending:
		return "is waiting for DNS"
	case anchor.HostIssuing:
		return "is waiting for its certificate"
	case anchor.HostActive:
		return "is served over HTTPS"
	case anchor.HostFailed:
		return "has no certificate; Anchor will try again"
	case anchor.HostRemoving:
		return "is being removed"
	}
	return "is " + string(d.Status)
}

func findingsOf(d wire.Domain) []domains.Finding {
	if d.Diagnosis == nil {
		return nil
	}
	return d.Diagnosis.Checks
}

func (s *shell) printFinding(w io.Writer, f domains.Finding) {
	if f.State == domains.FindingRight {
		fmt.Fprintf(w, "%s %s %s\n", s.paintText(green, "✓"), padText(findingLabel(f), labelWidth), cleanText(f.Record.Name))
		return
	}
	state := strings.ReplaceAll(cleanText(string(f.State)), "_", " ")
	fmt.Fprintf(w, "%s %s %s: %s\n", s.paintText(red, "✗"), padText(findingLabel(f), labelWidth), cleanText(f.Record.Name), state)
	printWrapped(w, strings.Repeat(" ", labelWidth+3), cleanText(f.Detail))
}

func findingLabel(f domains.Finding) string {
	return strings.TrimSpace("DNS " + cleanText(f.Record.Type))
}

func (s *shell) printCertificate(w io.Writer, d wire.Domain) {
	mark, text := s.paintText(green, "✓"), "issued"
	if d.OwnCert {
		text = "your own"
	}
	switch {
	case d.CertificateStatus != anchor.CertIssued:
		mark, text = s.paintText(dim, "·"), "not issued yet"
		if d.CertificateStatus != anchor.CertPending {
			mark, text = s.paintText(red, "✗"), strings.ToLower(string(d.CertificateStatus))
		}
	case d.NotAfter > 0:
		text += ", valid until " + time.UnixMilli(d.NotAfter).Format(time.DateOnly)
	}
	fmt.Fprintf(w, "%s %s %s\n", mark, padText("TLS", labelWidth), text)
}

// printWrapped prints text in lines of at most a page's width, each after indent. A
// color counts as text, and its line ends a little earlier.
func printWrapped(w io.Writer, indent, text string) { printHanging(w, indent, indent, text) }

// printHanging is wrapped with a first line that stands after head.
func printHanging(w io.Writer, head, indent, text string) {
	line, begun := head, false
	for word := range strings.FieldsSeq(text) {
		if begun && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > page80 {
			fmt.Fprintln(w, line)
			line, begun = indent, false
		}
		if begun {
			line += " "
		}
		line, begun = line+word, true
	}
	if begun {
		fmt.Fprintln(w, line)
	}
}
