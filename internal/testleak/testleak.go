// Package testleak fails the tests of a package that leave goroutines behind. It is for
// tests.
package testleak

import (
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end after the last test. goleak itself waits 0.4 s,
// in which a busy machine may not get to close a connection. It only matters when something leaks.
const patience = 30 * time.Second

// Main is goleak.VerifyTestMain with patience. It does not return.
func Main(m goleak.TestingM, ignored ...goleak.Option) {
	goleak.VerifyTestMain(patient{m, ignored}, ignored...)
}

// patient wraps tests: it ends when their goroutines have ended.
type patient struct {
	goleak.TestingM
	ignored []goleak.Option
}

// Run implements goleak.TestingM.
func (p patient) Run() int {
	code := p.TestingM.Run()
	for end := time.Now().Add(patience); code == 0 && time.Now().Before(end); {
		if goleak.Find(p.ignored...) == nil {
			break
		}
	}
	return code
}
