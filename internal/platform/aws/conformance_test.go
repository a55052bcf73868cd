package aws_test

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/platform/platformtest"
)

func TestConformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Harness { return newInstallation(t).harness() })
}
