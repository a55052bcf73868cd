package server

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/drains"
	"github.com/anchor-deploy/anchor/internal/local/sourcemaps"
	"github.com/anchor-deploy/anchor/internal/project/secret"
)

func (a *app) openDrains(ctx context.Context, box *secret.Box) (err error) {
	a.drains, err = drains.Open(ctx, drains.Config{Records: a.store, Box: box, Log: a.Log, Access: a.accessLog.Tee, Export: a.telemetry.Logs})
	if err == nil {
		a.onClose(a.drains.Close)
	}
	return err
}

// findSources lets groups of errors name the sources of a build that has source maps.
func (a *app) findSources() {
	maps := &sourcemaps.Maps{}
	a.errors.UseSources(func(d anchor.DeploymentID, function, file string, line, column int) (string, string, int, int, bool) {
		dir, ok := a.platform.FunctionDir(d, function)
		if !ok {
			return "", "", 0, 0, false
		}
		inside, ok := strings.CutPrefix(file, dir+string(filepath.Separator))
		if !ok && filepath.IsAbs(file) { // Next.js makes some relative
			return "", "", 0, 0, false
		}
		p, ok := maps.Original(dir, sourcemaps.Position{File: inside, Line: line, Column: column})
		return p.File, p.Name, p.Line, p.Column, ok
	})
}

// onLine is called with each line that an app printed.
func (a *app) onLine(p anchor.ProjectID, l anchor.LogLine) {
	a.errors.Add(p, l)
	a.drains.Line(p, l)
}
