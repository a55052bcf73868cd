package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// awsCalls holds the counts that a test of the aws platform compares at every run. They are shown
// here, not counted again.
const awsCalls = "internal/aws/testdata/calls.golden"

// The budget of a rollback of a project with two functions.
const (
	rollbackCalls  = 11 // one of them, which has the request survive a crash, beside the others
	rollbackSerial = 5
)

// operation is one headline of the file: what was done, and the calls that it took.
type operation struct {
	name          string
	calls, serial int // serial is 0 where it differs from run to run
}

// measureAWSCalls reports how many calls the platform makes to AWS, which take most of its time.
func measureAWSCalls(context.Context, *lab) ([]result, error) {
	text, err := os.ReadFile(awsCalls)
	if err != nil {
		return nil, fmt.Errorf("read the counts of calls: %w", err)
	}
	operations, err := readCalls(string(text))
	if err != nil {
		return nil, err
	}
	for _, o := range operations {
		if o.name != "rollback, in a new process" { // the most frequent case for the handler
			continue
		}
		return []result{{
			what: "calls of AWS a rollback makes in a new process, two functions", ours: fmt.Sprintf("%d, %d one after another", o.calls, o.serial),
			budget:  fmt.Sprintf("≤ %d, ≤ %d", rollbackCalls, rollbackSerial),
			verdict: judge(o.calls <= rollbackCalls && o.serial > 0 && o.serial <= rollbackSerial),
			how: []string{
				"Not measured in this run: TestCalls of the aws platform counts the calls of each operation over an emulator and fails when they differ from " + awsCalls + ". Records are included.",
				"```\n" + strings.TrimSpace(string(text)) + "\n```",
			},
		}}, nil
	}
	return nil, fmt.Errorf("%s has no rollback in a new process", awsCalls)
}

// readCalls reads the headlines: "rollback: 10 calls, 5 one after another".
func readCalls(text string) ([]operation, error) {
	var all []operation
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, " ") || strings.TrimSpace(line) == "" {
			continue
		}
		at := strings.LastIndex(line, ": ")
		o := operation{name: line[:max(at, 0)]}
		counts := strings.SplitN(line[at+1:], ",", 3)
		if _, err := fmt.Sscanf(counts[0], "%d calls", &o.calls); err != nil || at < 0 {
			return nil, fmt.Errorf("%s: %q is not a count of calls", awsCalls, strings.TrimSpace(line))
		}
		if len(counts) > 1 && strings.Contains(counts[1], "one after another") {
			if _, err := fmt.Sscanf(counts[1], "%d one", &o.serial); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", awsCalls, strings.TrimSpace(line), err)
			}
		}
		all = append(all, o)
	}
	return all, nil
}
