package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/artifact"
)

// measureRedeploy deploys a build, then the same with one page changed, and counts
// what the client sends on its connections.
func measureRedeploy(ctx context.Context, l *lab) ([]result, error) {
	s, err := l.up(ctx, "")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	app, err := l.copyApp()
	if err != nil {
		return nil, err
	}
	before, err := scanBuild(ctx, app)
	if err != nil {
		return nil, err
	}
	if _, err := s.deploy(ctx, app, "shop", s.api); err != nil {
		return nil, err
	}
	if err := editPage(app); err != nil {
		return nil, err
	}
	page, err := s.redeploy(ctx, app, before)
	if err != nil {
		return nil, err
	}
	other, err := l.variant(2)
	if err != nil {
		return nil, err
	}
	build, err := s.redeploy(ctx, other, before)
	if err != nil {
		return nil, err
	}
	ratio := float64(page.wire) / float64(page.changed)
	files := float64(page.sent) / float64(page.changed)
	return []result{{
		what: "redeploy with one page changed: all bytes on the wire", ours: size(page.wire), peer: "bytes changed: " + size(page.changed),
		ratio: times(ratio), budget: "≤ 1.2 ×", verdict: judge(ratio <= 1.2),
		how: []string{
			fmt.Sprintf("The text of /dynamic is changed in a copy of the build: the contents of %d files differ from the deployed build's, %s in all. "+
				"The second `anchor deploy --prebuilt` goes through a relay that counts all the client sends to the API: file contents, which of the %d files differ, HTTP. The server lacks nothing else.",
				page.files, size(page.changed), page.total),
		},
	}, {
		what: "redeploy with one page changed: bodies of requests", ours: size(page.sent), peer: "bytes changed: " + size(page.changed),
		ratio: times(files), budget: "≤ 1.2 ×", verdict: judge(files <= 1.2),
		how: []string{
			fmt.Sprintf("The same deploy by its own count (bytesSent: contents and manifest; %d files). For comparison another build of the same app, with another label and build id on every page: "+
				"%s changed in %d files, %s of bodies sent (%s), %s on the wire (%s).",
				page.filesSent, size(build.changed), build.files, size(build.sent), times(float64(build.sent)/float64(build.changed)),
				size(build.wire), times(float64(build.wire)/float64(build.changed))),
		},
	}}, nil
}

// resent is the cost of a redeployment.
type resent struct {
	changed   int64 // bytes of contents that the first build lacked
	files     int   // files with such contents
	total     int   // files of the build
	sent      int64 // as counted by the command
	filesSent int
	wire      int64 // as counted by the relay
}

func (s *server) redeploy(ctx context.Context, app string, before artifact.Manifest) (r resent, err error) {
	after, err := scanBuild(ctx, app)
	if err != nil {
		return r, err
	}
	r.total = len(after.Files)
	known := before.Contents()
	for digest, length := range after.Contents() {
		if _, ok := known[digest]; !ok {
			r.changed += length
			r.files++
		}
	}
	if r.changed == 0 {
		return r, fmt.Errorf("the builds do not differ")
	}
	meter, err := newRelay(ctx, s.api)
	if err != nil {
		return r, err
	}
	defer meter.close()
	d, err := s.deploy(ctx, app, "shop", meter.url())
	r.sent, r.filesSent, r.wire = d.BytesSent, d.FilesSent, meter.sent.Load()
	return r, err
}

func scanBuild(ctx context.Context, app string) (artifact.Manifest, error) {
	return artifact.Scan(ctx, filepath.Join(app, ".open-next"), nil)
}
