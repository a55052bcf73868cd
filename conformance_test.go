package anchor_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	// contractRow matches a row of the table in docs/conformance.md, whose cells may contain an escaped bar.
	contractRow = regexp.MustCompile(`(?m)^\| S(\d+) ((?:\\\||[^|\n])*\|)+ *$`)
	contractBar = regexp.MustCompile(` \| `)
	namedTest   = regexp.MustCompile("`(Test\\w+)`")
	standParts  = regexp.MustCompile(`stand \(([^)]*)\)`)
	testFunc    = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	standRun    = regexp.MustCompile(`t\.Run\("([^"]+)"`)
	command     = regexp.MustCompile("`([^`]+)`")
)

// testFiles returns the paths of all files with tests of the repository's own code.
func testFiles(t *testing.T) []string {
	t.Helper()
	files, err := exec.Command("git", "ls-files", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(files))
}

// testsOf returns the names of all test functions of the repository's own code.
func testsOf(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, file := range testFiles(t) {
		for _, m := range testFunc.FindAllSubmatch(readDoc(t, file), -1) {
			names[string(m[1])] = true
		}
	}
	return names
}

// TestConformance_NamesTests checks the table of docs/conformance.md: each row names tests and parts of the stand that
// exist, an emulator, and a command for the first account that a shell can read.
func TestConformance_NamesTests(t *testing.T) {
	tests, parts := testsOf(t), map[string]bool{}
	for _, m := range standRun.FindAllSubmatch(readDoc(t, filepath.Join("e2e", "stand_test.go")), -1) {
		parts[string(m[1])] = true
	}
	table, _, _ := strings.Cut(string(readDoc(t, "docs/conformance.md")), "\n## Shown by injected faults only")
	rows := contractRow.FindAllString(table, -1)
	if len(rows) < 20 {
		t.Fatalf("the table has %d rows: it is not read rightly", len(rows))
	}
	for i, row := range rows {
		cells := contractBar.Split(strings.Trim(row, "| "), -1)
		if len(cells) != 6 || cells[0] != "S"+strconv.Itoa(i+1) {
			t.Errorf("row %d has %d cells, and begins with %s", i+1, len(cells), cells[0])
			continue
		}
		shown := cells[2]
		if !namedTest.MatchString(shown) && !strings.Contains(shown, "stand") || cells[3] == "" || cells[4] == "" {
			t.Errorf("%s names no test, no emulator, or not what stays unproven: %s", cells[0], row)
		}
		for _, m := range namedTest.FindAllStringSubmatch(shown, -1) {
			if !tests[m[1]] {
				t.Errorf("%s names %s, which does not exist", cells[0], m[1])
			}
		}
		for _, m := range standParts.FindAllStringSubmatch(shown, -1) {
			for part := range strings.SplitSeq(m[1], "; ") {
				if !parts[part] {
					t.Errorf("%s names the part %q of the stand, which does not exist", cells[0], part)
				}
			}
		}
		run := command.FindAllStringSubmatch(strings.ReplaceAll(cells[5], `\|`, "|"), -1)
		if len(run) != 1 {
			t.Errorf("%s has %d commands", cells[0], len(run))
			continue
		}
		if out, err := exec.Command("bash", "-n", "-c", run[0][1]).CombinedOutput(); err != nil {
			t.Errorf("%s: %s: %v\n%s", cells[0], run[0][1], err, out)
		}
	}
}

// TestSlowSuite_RunsItsTests: `make test-slow` runs each test in a file with the build tag slow, in a package that it names, and
// none of the others, which `make test` runs.
func TestSlowSuite_RunsItsTests(t *testing.T) {
	variables := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(SLOW|SLOW_IN)\s*:= (.*)$`).FindAllSubmatch(readDoc(t, "Makefile"), -1) {
		variables[string(m[1])] = string(m[2])
	}
	selected := regexp.MustCompile(variables["SLOW"])
	packages := strings.Fields(variables["SLOW_IN"])
	const (
		byHand = "TestH2Spec"           // the Makefile says why
		twice  = "TestManyNames_AtOnce" // with more names in the slow suite
	)
	slow := 0
	for _, file := range testFiles(t) {
		text, dir := readDoc(t, file), "./"+filepath.ToSlash(filepath.Dir(file))
		in := slices.ContainsFunc(packages, func(p string) bool {
			return p == dir || strings.HasSuffix(p, "/...") && strings.HasPrefix(dir+"/", strings.TrimSuffix(p, "..."))
		})
		isSlow := bytes.HasPrefix(text, []byte("//go:build slow\n"))
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			name := string(m[1])
			runs := in && selected.MatchString(name)
			switch {
			case name == byHand, name == twice, name == "TestMain":
			case isSlow && !runs:
				t.Errorf("%s in %s has the build tag slow, and make test-slow does not run it", name, file)
			case !isSlow && runs:
				t.Errorf("%s in %s runs in make test and in make test-slow", name, file)
			}
			if isSlow {
				slow++
			}
		}
	}
	if slow < 20 {
		t.Errorf("%d slow tests were found: the files are not read rightly", slow)
	}
}
