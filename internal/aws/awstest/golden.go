package awstest

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Golden compares a report of calls with a file, or writes the file. run makes the report on its
// own emulator and returns the wire that it used. It is run again when the emulator cut a
// connection meanwhile, because that adds a call.
func Golden(t testing.TB, file string, update bool, run func() (*Wire, string)) {
	t.Helper()
	wire, report := run()
	for tries := 1; wire.Cuts() > 0; tries++ {
		if tries == 3 {
			t.Fatal("the emulator cut a connection in each of three runs")
		}
		wire, report = run()
	}
	if update {
		if err := os.WriteFile(file, []byte(report), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), report); diff != "" {
		t.Errorf("the calls differ from %s (-want +got); go test -update rewrites it:\n%s", file, diff)
	}
}

// SplitWaits returns the calls that are not reads of a function's state, and how many of those
// there are. Anchor reads the state until Lambda has applied a change, so that their number
// depends on how fast Lambda and the machine are.
func SplitWaits(calls []Call) (kept []Call, waits int) {
	for _, c := range calls {
		if c.Operation == "Lambda.GetFunctionConfiguration" {
			waits++
		} else {
			kept = append(kept, c)
		}
	}
	return kept, waits
}
