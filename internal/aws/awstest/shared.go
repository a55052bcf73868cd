package awstest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// shared is the emulator of a package's tests.
var shared struct {
	mu      sync.Mutex
	allowed bool   // Sharing runs the tests
	user    string // name of the test that uses it, or ""
	process *process
}

// Sharing runs a package's tests that call Shared, and ends the emulator after them. It
// is meant for TestMain.
func Sharing(m goleak.TestingM) goleak.TestingM { return sharing{m} }

type sharing struct{ goleak.TestingM }

// Run implements goleak.TestingM.
func (s sharing) Run() int {
	shared.allowed = true
	code := s.TestingM.Run()
	if shared.process == nil {
		return code
	}
	if err := shared.process.endGroup(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// Shared returns the MiniStack that the package's tests use one after another. It is empty: what
// a test creates is deleted when the test ends. Starting an emulator for each test would take
// most of the time of a package with many short tests. A test that calls Shared again gets it
// empty again.
func Shared(t testing.TB) *Cloud {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	switch {
	case !shared.allowed:
		t.Fatal("awstest.Shared is for packages whose TestMain runs the tests with awstest.Sharing")
	case shared.user == t.Name():
		if err := emptyStack(shared.process.endpoint); err != nil {
			t.Fatalf("empty MiniStack for the same test: %v", err)
		}
		return shared.process.newAccount(t)
	case shared.user != "":
		t.Fatalf("%s uses awstest.Shared; use awstest.MiniStack for a second emulator", shared.user)
	case shared.process == nil:
		p, err := run(t, miniStack)
		if err != nil {
			t.Fatal(err)
		}
		shared.process = p
	}
	shared.user = t.Name()
	t.Cleanup(func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		if err := emptyStack(shared.process.endpoint); err != nil {
			t.Errorf("empty MiniStack for the next test: %v", err)
		}
		shared.user = ""
	})
	return shared.process.newAccount(t)
}

// emptyStack deletes everything in a MiniStack.
func emptyStack(endpoint string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's has ended
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/_ministack/reset", http.NoBody)
	if err != nil {
		return err
	}
	r.Close = true
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s answers %s", r.URL, res.Status)
	}
	return nil
}
