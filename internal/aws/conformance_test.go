package aws_test

import (
	"os"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/function/functiontest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestMain(m *testing.M) { os.Exit(functiontest.Main(m)) }

func TestConformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Harness {
		t.Parallel() // it mostly waits for Lambda's transitions
		return newInstallation(t).harness()
	})
}
