package function

import (
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// OfCrons returns the functions that answer the paths of an artifact's crons, by the path without its
// query. It omits those of the server function.
func OfCrons(a deploy.Artifact) map[string]string {
	found := map[string]string{}
	for _, c := range a.Build.Crons {
		path, _, _ := strings.Cut(c.Path, "?")
		if name := opennext.FunctionOf(a.Build, path); name != anchor.ServerFunction {
			found[path] = name
		}
	}
	return found
}
