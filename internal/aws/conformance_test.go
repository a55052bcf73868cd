package aws_test

import (
	"os"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/aws/function/functiontest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestMain(m *testing.M) { os.Exit(functiontest.Main(m)) }

func TestConformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Harness {
		t.Parallel()                   // it mostly waits for Lambda's transitions
		const probe = 15 * time.Second // for which the test waits: one of its pages never comes
		return installationWith(t, probe).harness()
	})
}
