package sites

import (
	"maps"
	"os"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
	"github.com/anchor-deploy/anchor/internal/local/logs"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// workerSpec returns how a function runs. The server and its split functions share the deployment's
// cache; the image function reads the deployment's public files.
func (p *Platform) workerSpec(d Description, f anchor.Function, env map[string]string) worker.Spec {
	spec := worker.Spec{
		Name:    f.Name,
		Dir:     d.Dir + string(os.PathSeparator) + f.Dir,
		Handler: f.Handler,
		Env:     p.functionEnv(d, f, env),
		User:    p.Users.userOf(d.Project),
		Walls:   p.Walls,
		Tree:    d.Dir,
		Log:     p.logTo(d, f.Name),
		Tmp:     p.Run,
	}
	if d.isPreview() {
		spec.IdleAfter = p.PreviewIdle
	}
	switch {
	case f.Edge:
		spec.Event = worker.CloudFrontRequest
	case f.Image:
		spec.Limit = imagesAtOnce
	case f.Name == anchor.ServerFunction:
		spec.Compiled = p.dataFolder().compiledOf(d.Deployment, f.Name)
		spec.CompileEnv = awswire.ServerEnv(p.wire.endpoint, awswire.Key{ID: "none", Secret: "none"}) // see compileSite
	}
	return spec
}

// imagesAtOnce is how many images one process works on; each uses a core and the memory of a
// decoded picture, and the rest waits in the queue.
const imagesAtOnce = 8

// functionEnv returns all variables that a function sees: the app's and, over them, those by which
// OpenNext finds its cache (OPENNEXT.md, Environment).
func (p *Platform) functionEnv(d Description, f anchor.Function, app map[string]string) map[string]string {
	env := maps.Clone(app)
	if env == nil {
		env = map[string]string{}
	}
	key := p.wire.keys.Issue(string(d.Deployment))
	// OPENNEXT_STATIC_ETAG stays unset: its ETag is derived from the URL and the BUILD_ID, and a
	// picture that changed would answer 304 (see images).
	if f.Image {
		env = awswire.ImageEnv(p.wire.endpoint, key)
	} else {
		maps.Copy(env, awswire.ServerEnv(p.wire.endpoint, key))
	}
	if f.Edge {
		env["OPEN_NEXT_ORIGIN"] = origins
	}
	env["NODE_ENV"] = "production"
	// The operator chooses the Node.js version; a warning in each app's log would not help.
	env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true"
	env["ANCHOR_DEPLOYMENT_ID"] = string(d.Deployment)
	return env
}

// origins is what the middleware's origin resolver (pattern-env) requires. The origin that it
// chooses does not matter: the edge routes the URL that the middleware returns.
const origins = `{"default":{"host":"default","protocol":"http","port":80}}`

func (p *Platform) logTo(d Description, function string) func(worker.Line) {
	return func(l worker.Line) {
		line := anchor.LogLine{
			Time: l.Time.UnixMilli(), DeploymentID: d.Deployment, Function: function,
			RequestID: l.RequestID, Path: l.Path, Level: l.Level, Text: l.Text,
		}
		logs.Structure(&line)
		// A failed write to the log must not stop the app.
		_ = p.Logs.Append(d.Project, line)
		if p.OnLine != nil {
			p.OnLine(d.Project, line)
		}
	}
}
