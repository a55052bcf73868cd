package platformtest_test

import (
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/project/secret"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

func TestMemory_Conformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Harness {
		platform, records := platformtest.NewMemory(), memory.New()
		bundles, err := artifact.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := bundles.Close(); err != nil {
				t.Error(err)
			}
		})
		box, err := secret.Open(filepath.Join(t.TempDir(), "key"))
		if err != nil {
			t.Fatal(err)
		}
		return platformtest.Harness{
			Platform: platform, Records: records, Bundles: bundles,
			Env:       project.NewEnv(project.EnvPorts{Variables: records, Box: box}, project.EnvOptions{}),
			Do:        platform.Do,
			ReadCache: platform.ReadCache, WriteCache: platform.WriteCache,
			Reopen: func(*testing.T) platformtest.Platform { return platform }, // it has nothing to reopen
		}
	})
}
