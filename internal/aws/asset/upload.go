package asset

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/artifact/staticfile"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Check refuses an artifact with a file whose key S3 would not accept. It makes no call.
func (s *Assets) Check(a deploy.Artifact) error {
	if _, _, err := staticObjects(a); err != nil {
		return err
	}
	_, err := seedObjects(a)
	return err
}

// Upload puts the deployment's static files into S3 and skips those that exist. It may be run
// again.
//
// It writes the index of what the deployment uses before it looks anything up. A removal that
// starts after that keeps these files.
func (s *Assets) Upload(ctx context.Context, a deploy.Artifact, note deploy.Note) error {
	shared, own, err := staticObjects(a)
	if err != nil {
		return err
	}
	there, err := s.uploaded(ctx, a, shared)
	if err != nil {
		return err
	}
	missing, found := splitMissing(slices.Concat(shared, own), there)
	run, err := s.openRun(a.Dir)
	if err != nil {
		return err
	}
	defer run.close()
	if err := run.sendObjects(ctx, missing); err != nil {
		return err
	}
	differ, err := s.listDiffering(ctx, append(found, run.found...), there)
	if err != nil {
		return err
	}
	warnDiffering(differ, note)
	if err := warnOfRules(a, note); err != nil {
		return err
	}
	note("%d static files, %d of them new", len(shared)+len(own), len(missing)-len(run.found))
	return nil
}

// uploaded writes the index and returns the sizes of the existing objects, by key.
func (s *Assets) uploaded(ctx context.Context, a deploy.Artifact, shared []object) (map[string]int64, error) {
	var sharedThere, ownThere map[string]int64
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if err := s.writeIndex(ctx, a, shared); err != nil || len(shared) == 0 {
			return err
		}
		sharedThere, err = s.listSizes(ctx, sharedPrefix(a.Project.ID)+basePrefix(a.Build)+staticfile.HashedFolder)
		return err
	})
	g.Go(func() (err error) {
		ownThere, err = s.listSizes(ctx, deploymentPrefix(a.Project.ID, a.Deployment.ID))
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if sharedThere == nil {
		return ownThere, nil
	}
	maps.Copy(sharedThere, ownThere)
	return sharedThere, nil
}

// splitMissing returns the objects that have to be sent and those that exist. S3 shows an object whole
// or not at all and a deployment's manifest never changes, so an own file of the right size is
// the right one. A shared file is never overwritten, whatever its content.
func splitMissing(objects []object, there map[string]int64) (missing, found []object) {
	for _, o := range objects {
		size, ok := there[o.key]
		if ok && (o.once || size == o.size) {
			found = append(found, o)
		} else {
			missing = append(missing, o)
		}
	}
	return missing, found
}

// listDiffering returns the shared objects that another deployment put first with another content.
// Hashed names cannot clash; names below a BUILD_ID do when the app fixes it.
func (s *Assets) listDiffering(ctx context.Context, found []object, there map[string]int64) ([]object, error) {
	differs := make([]bool, len(found))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(Parallel)
	for i, o := range found {
		size, listed := there[o.key]
		switch {
		case !o.once:
		case listed && size != o.size:
			differs[i] = true
		case o.fixed:
			g.Go(func() (err error) {
				same, err := s.holdsObject(ctx, o)
				differs[i] = !same
				return err
			})
		}
	}
	err := g.Wait()
	var differ []object
	for i, o := range found {
		if differs[i] {
			differ = append(differ, o)
		}
	}
	return differ, err
}

func warnDiffering(differ []object, note deploy.Note) {
	if len(differ) == 0 {
		return
	}
	note("warning: %d files under %s differ from an earlier deployment's of the same name, which browsers keep for a year and which stay: %s, … Let generateBuildId in next.config give each build an id of its own",
		len(differ), staticfile.HashedFolder, differ[0].file)
}

// warnOfRules names the files that CloudFront serves from S3 although one of the app's rules has
// precedence.
func warnOfRules(a deploy.Artifact, note deploy.Note) error {
	rules, err := opennext.ReadFileRules(os.DirFS(a.Dir), a.Build)
	if err != nil {
		return fmt.Errorf("read the rules for static files: %w", err)
	}
	var paths []string
	for _, f := range a.Manifest.Files {
		if path, found := strings.CutPrefix(f.Path, a.Build.Assets+"/"); found && f.Link == "" {
			paths = append(paths, path)
		}
	}
	if warning := rules.Passed(paths, true).Warning(); warning != "" {
		note("warning: %s. On aws, serve what needs a login from a route handler", warning)
	}
	for _, warning := range rules.Warnings() {
		note("warning: %s", warning)
	}
	return nil
}
