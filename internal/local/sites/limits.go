package sites

import (
	"context"
	"os"
	"runtime"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Limits bound what one deployment may use of the machine. Zero fields take the defaults named
// here.
type Limits struct {
	Functions int // of a deployment: 64
	Processes int // of a deployment's split functions together: 2 for each core, at least 8
}

func (l Limits) withDefaults() Limits {
	if l.Functions <= 0 {
		l.Functions = 64
	}
	if l.Processes <= 0 {
		l.Processes = max(8, 2*runtime.NumCPU())
	}
	return l
}

// Check refuses bundles with native code for another machine, and too many functions. This platform
// does not limit a bundle's size beyond the limit of the upload.
func (p *Platform) Check(_ context.Context, a deploy.Artifact) error {
	if err := p.checkFunctions(a.Build.Functions); err != nil {
		return err
	}
	return opennext.CheckNative(os.DirFS(a.Dir), opennext.HostOS(runtime.GOOS), runtime.GOARCH)
}

// CheckManifest implements deploy.Limits: the paths of its files show a build's functions.
func (p *Platform) CheckManifest(_ anchor.Project, m artifact.Manifest, _ map[string]string) error {
	return p.checkFunctions(opennext.Laid(func(yield func(string) bool) {
		for _, f := range m.Files {
			if !yield(f.Path) {
				return
			}
		}
	}))
}

func (p *Platform) checkFunctions(functions []anchor.Function) error {
	if len(functions) <= p.Limits.Functions {
		return nil
	}
	return anchor.TooLarge("too_many_functions", "the build has too many functions: %d; the limit of this server is %d", len(functions), p.Limits.Functions).
		Hintf("Assign several routes to one function in open-next.config.ts, or start the server with a higher limit: anchor up --max-functions %d", len(functions))
}
