package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Anybody can send to a webhook, so its bodies are bounded in size and number: 128 MiB together.
const (
	maxDelivery  = 4 << 20
	hooksAtATime = 32
)

func (s *server) hookRoutes() {
	const one, pulls = "/projects/{projectId}/connection", "/projects/{projectId}/pulls"
	show := newOperation("get-connection", http.MethodGet, one, anchor.ScopeRead, "Get the repository that a project is connected to", 404, 501)
	show.Description += " With `reveal=true` the response contains the webhook's secret, and the request needs `admin`."
	handleRoute(s, show, s.getConnection)
	connect := newOperation("connect", http.MethodPut, one, anchor.ScopeAdmin, "Connect a project to a repository at a host", 404, 409, 501)
	connect.Description += " A connected project keeps its secret, its deploy key and its token unless they are replaced."
	handleRoute(s, connect, s.connect)
	handleRoute(s, newOperation("disconnect", http.MethodDelete, one, anchor.ScopeAdmin, "Disconnect a project from its repository", 404, 501), s.disconnect)
	trust := newOperation("trust-host-key", http.MethodPost, one+"/trust-host-key", anchor.ScopeAdmin,
		"Accept the key that the repository's ssh server has at the next clone", 404, 501)
	handleRoute(s, trust, s.trustHostKey)
	handleRoute(s, newOperation("list-pull-requests", http.MethodGet, pulls, anchor.ScopeRead, "List pull requests, newest first", 404, 501), s.listPulls)
	approve := newOperation("approve-pull-request", http.MethodPost, pulls+"/{number}/approve", anchor.ScopeDeploy, "Build a fork's pull request", 404, 409, 501)
	approve.DefaultStatus = http.StatusAccepted
	handleRoute(s, approve, s.approvePull)

	deliver := newOperation("receive-delivery", http.MethodPost, "/hooks/{projectId}/{host}", "", "Receive a delivery of a repository's host", 401, 404, 409, 413, 501, 503)
	deliver.Description = "Needs no token: the delivery is signed with the connection's secret, in the way of its host. " +
		"With the host `deploy` it is the plain deploy hook, whose URL has a key. The same delivery is processed once."
	deliver.DefaultStatus = http.StatusAccepted
	deliver.MaxBodyBytes = maxDelivery
	deliver.RejectUnknownQueryParameters = false // a host may add its own
	deliver.Middlewares = huma.Middlewares{s.admitDelivery}
	deliver.SkipValidateBody = true // the host's library reads it
	handleRoute(s, deliver, s.receiveDelivery)
	received := s.api.OpenAPI().Paths[deliver.Path].Post.RequestBody
	received.Required = false // of the plain deploy hook
	received.Content["application/json"].Schema = &huma.Schema{Type: huma.TypeObject, Description: "The payload of the host"}
}

// connectable finds a project on a server that connects projects.
func (s *server) connectable(ctx context.Context, idOrSlug string) (anchor.Project, error) {
	p, err := s.Projects.Get(ctx, idOrSlug)
	if err == nil && s.Hooks == nil {
		err = newProblem(http.StatusNotImplemented, "no_connections", "this installation on AWS does not connect to repositories, and receives no webhooks",
			"To build a commit, run anchor builds start, also from your CI after a push. For private repositories, let CodeBuild use a connection: "+
				"https://github.com/anchor-deploy/anchor/blob/main/docs/aws.md#private-repositories")
	}
	return p, err
}

func (s *server) getConnection(ctx context.Context, in *struct {
	InProject
	Reveal bool `query:"reveal" doc:"Show the secret of the webhook and the URL of the deploy hook"`
}) (*body[anchor.Connected], error) {
	if in.Reveal {
		if err := actorOf(ctx).RequireAnywhere(anchor.ScopeAdmin); err != nil { // before the project is looked for
			return nil, err
		}
	}
	p, err := s.connectable(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if in.Reveal {
		if err := actorOf(ctx).RequireIn(p.ID, anchor.ScopeAdmin); err != nil {
			return nil, err
		}
	}
	c, err := s.Hooks.Show(ctx, p, in.Reveal)
	if err != nil {
		return nil, err
	}
	return answerWith(c), nil
}

func (s *server) connect(ctx context.Context, in *struct {
	InProject
	Body wire.Connect
}) (*body[anchor.Connected], error) {
	p, err := s.connectable(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	r := in.Body
	c, err := s.Hooks.Connect(ctx, p, anchor.ConnectRequest{
		Host: r.Host, Repository: r.Repository, APIURL: r.APIURL, Token: r.Token, AppID: r.AppID, Install: r.Install, AppKey: r.AppKey,
		WatchPaths: r.WatchPaths, HookURL: r.HookURL, Rotate: r.Rotate,
	})
	if err != nil {
		return nil, err
	}
	return answerWith(c), nil
}

func (s *server) disconnect(ctx context.Context, in *InProject) (*empty, error) {
	p, err := s.connectable(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return nil, s.Hooks.Disconnect(ctx, p)
}

func (s *server) trustHostKey(ctx context.Context, in *InProject) (*empty, error) {
	p, err := s.connectable(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return nil, s.Hooks.TrustHostKey(ctx, p)
}

func (s *server) listPulls(ctx context.Context, in *InProject) (*body[wire.Items[anchor.PullRequest]], error) {
	p, err := s.connectable(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	pulls, err := s.Hooks.PullRequests(ctx, p)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.PullRequest]{Items: pulls}), nil
}

func (s *server) approvePull(ctx context.Context, in *struct {
	InProject
	Number int64 `path:"number" minimum:"1"`
	Body   wire.Approve
}) (*body[anchor.PullRequest], error) {
	p, err := s.connectable(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	pull, err := s.Hooks.Approve(ctx, p, in.Number, in.Body.Commit)
	if err != nil {
		return nil, err
	}
	return answerWith(pull), nil
}

// admitDelivery bounds how many deliveries are read at a time. It runs before the body is read.
func (s *server) admitDelivery(ctx huma.Context, next func(huma.Context)) {
	p, err := s.connectable(ctx.Context(), ctx.Param("projectId"))
	if err == nil {
		_, err = s.Hooks.Show(ctx.Context(), p, false) // a project without a connection reads nothing
	}
	if err == nil {
		select {
		case s.hooks <- struct{}{}:
			defer func() { <-s.hooks }()
			next(ctx)
			return
		default:
			err = (&anchor.Error{Kind: anchor.KindBusy, Code: "hooks_busy", Message: "the server reads too many deliveries"}).
				Hintf("Let the host send it again in a minute.")
		}
	}
	_, w := humago.Unwrap(ctx)
	writeProblem(w, problemOf(ctx.Context(), s.Log, err))
}

// deliveryInput is a delivery with all of its headers.
type deliveryInput struct {
	InProject
	Host    string `path:"host" enum:"github,gitlab,gitea,bitbucket,deploy"`
	Key     string `query:"key" maxLength:"200" doc:"Of the plain deploy hook"`
	Branch  string `query:"branch" maxLength:"255" doc:"That the plain deploy hook builds; the production branch by default"`
	RawBody []byte `contentType:"application/json"`
	header  http.Header
}

// Resolve implements huma.Resolver.
func (in *deliveryInput) Resolve(ctx huma.Context) []error {
	in.header = http.Header{}
	ctx.EachHeader(in.header.Add)
	return nil
}

// deliveryAnswer is 202 for what is processed, 200 for what changes nothing.
type deliveryAnswer struct {
	Status int
	Body   anchor.HookAnswer
}

func (s *server) receiveDelivery(ctx context.Context, in *deliveryInput) (*deliveryAnswer, error) {
	p, err := s.connectable(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	answer, err := s.Hooks.Receive(ctx, p, anchor.HookCall{Host: in.Host, Header: in.header, Body: in.RawBody, Key: in.Key, Branch: in.Branch})
	if err != nil {
		return nil, err
	}
	out := &deliveryAnswer{Status: http.StatusAccepted, Body: answer}
	if answer.Status != "accepted" {
		out.Status = http.StatusOK
	}
	return out, nil
}
