package artifacts_test

import (
	"os"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

func TestMain(m *testing.M) { os.Exit(awstest.Sharing(m).Run()) }
