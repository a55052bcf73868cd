package local

import (
	"context"
	"os"
	"runtime"

	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/opennext"
)

// Check refuses bundles with native code for another machine. This platform sets
// no limit to a bundle's size beyond that of the upload.
func (p *Platform) Check(_ context.Context, a deploy.Artifact) error {
	return opennext.CheckNative(os.DirFS(a.Dir), opennext.HostOS(runtime.GOOS), runtime.GOARCH)
}
